"""What the launcher asks for beside the hot path and the whole command line.

`answer`: a plain `devbox up` or `devbox add NAME...`, without typer. What `up` worked out before needs no pydantic
either; whatever is not plainly that, and whatever goes wrong with it, is worked out anew.

`explain`, `explain_kill`: words for how a process ended that the hot path had started; they may take their time.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from devbox.agent.client import AgentError
from devbox.cli.invocation import Invocation, real_host
from devbox.cli.show_up import show_all, show_up
from devbox.cli.terminal import OutputGoneError, Terminal, discard_stdout
from devbox.errors import DevboxError
from devbox.hot.words import parse
from devbox.interrupts import SignalledError, signals_raise
from devbox.workspace.locate import locate
from devbox.workspace.quick import quick_up

_OUTPUT_GONE: Final = 141  # what a shell reports of a program that SIGPIPE ended
_QUIET: Final = ("-q", "--quiet")


def answer(argv: Sequence[str]) -> int | None:
    """Carry out `argv` (without the program's name), if that is possible here, and return its exit status."""
    if not _is_for_us(argv):
        return None
    try:
        with signals_raise():
            if argv[0] == "add":
                return _finished(argv, _add)
            return 0 if _prepared(argv) else _finished(argv, _up)
    except OutputGoneError:
        discard_stdout()
        return _OUTPUT_GONE
    except SignalledError as error:
        return _failed(error, argv, _plain(argv))


def _prepared(argv: Sequence[str]) -> bool:
    """Bring up what was worked out before; whether that could be."""
    invocation = _plain(argv)
    try:
        result = quick_up(invocation.host, locate(invocation.host, None))
    except SignalledError:
        raise
    except DevboxError:
        return False
    if result is not None:
        show_up(invocation, result)
    return result is not None


def _finished(argv: Sequence[str], work: Callable[[Invocation, Sequence[str]], None]) -> int:
    """Do what the verb does, and return its exit status."""
    invocation = _plain(argv)
    try:
        work(invocation, argv)
    except OutputGoneError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (as in `app`)
        return _failed(error, argv, invocation)
    return 0


def _up(invocation: Invocation, _argv: Sequence[str]) -> None:
    from devbox.workspace.together import up_all  # lazy: pydantic

    show_all(invocation, up_all(invocation.host, invocation.family))


def _add(invocation: Invocation, argv: Sequence[str]) -> None:
    """Add system packages; what they come to is asked in a container that starts while the rest is read."""
    from devbox.workspace.early import asking_early  # lazy: no other verb needs it

    with asking_early(invocation.host, invocation.workspace) as host:
        from devbox.cli.changed import show_change  # lazy: pydantic, which takes as long as a container
        from devbox.workspace.change import add

        names = [word for word in argv[1:] if not word.startswith("-")]
        show_change(invocation, add(host, invocation.workspace, names, group="system"), word="added")


def _failed(error: BaseException, argv: Sequence[str], invocation: Invocation) -> int:
    from devbox.cli.app import failed  # lazy: typer, which only a failure needs

    return failed(error, argv, invocation)


def _plain(argv: Sequence[str]) -> Invocation:
    terminal = Terminal(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr, environ=dict(os.environ))
    quiet = any(word in _QUIET for word in argv)
    return Invocation(terminal=terminal, host_factory=real_host, quiet=quiet, json="--json" in argv)


def _is_for_us(argv: Sequence[str]) -> bool:
    words = [word for word in argv if word not in (*_QUIET, "--json")]
    adds = argv[0] == "add" and len(words) > 1 and not any(word.startswith("-") for word in words)
    return adds or words == ["up"]


def explain(argv: Sequence[str], error: AgentError) -> int:
    """Say what broke while a process of the hot path ran, as the whole command line would; return the exit status."""
    from devbox.cli.app import fail  # lazy: rarely needed
    from devbox.workspace.attach import told_apart

    invocation = _invocation(argv)
    invocation.guest_command = True
    try:
        with told_apart(locate(invocation.host, _project(argv)).container_name):
            raise error
    except DevboxError as known:
        return fail(known, argv, invocation)


def explain_kill(argv: Sequence[str], status: int) -> int:
    """Say if the process of the hot path may have been killed for memory; return its exit `status`."""
    from devbox.workspace.find import running  # lazy: rarely needed
    from devbox.workspace.memory import memory_problem

    invocation = _invocation(argv)
    try:
        instance = running(invocation.host, locate(invocation.host, _project(argv)))
        problem = memory_problem(instance)
    except DevboxError:
        return status
    if problem:
        invocation.reporter.warn(problem)
    return status


def _invocation(argv: Sequence[str]) -> Invocation:
    words = parse(argv)
    terminal = Terminal(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr, environ=dict(os.environ))
    return Invocation(
        terminal=terminal,
        host_factory=real_host,
        quiet=words is not None and words.quiet,
        json=words is not None and words.json,
    )


def _project(argv: Sequence[str]) -> Path | None:
    words = parse(argv)
    return Path(words.project) if words is not None and words.project else None
