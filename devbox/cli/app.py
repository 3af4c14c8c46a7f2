"""The command's entry point and the one place where errors are caught."""

import os
import platform
import sys
import traceback
from collections.abc import Sequence

import typer

from devbox import __version__
from devbox.cli import failure
from devbox.cli.catalogue import resolve
from devbox.cli.group import Overview, make_command
from devbox.cli.invocation import HostFactory, Invocation, real_host
from devbox.cli.scripts import COMPLETE_VARIABLE
from devbox.cli.terminal import OutputGoneError, Terminal, discard_stdout
from devbox.errors import DevboxError, InterruptedByUserError, UsageError
from devbox.interrupts import signals_raise

_OUTPUT_GONE = 141  # what a shell reports of a program that SIGPIPE ended


def run(argv: Sequence[str] | None = None, *, host_factory: HostFactory = real_host) -> int:
    """Run one command line (default: this process's) and return its exit status.

    `host_factory` makes the world that the verbs see; tests give another one.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = make_command()
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from devbox.cli.completing import answer

        return answer(command, instruction, os.environ)
    terminal = Terminal(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr, environ=dict(os.environ))
    invocation = Invocation(terminal=terminal, host_factory=host_factory)
    try:
        with signals_raise():
            return _guarded(command, arguments, invocation)
    except OutputGoneError:
        discard_stdout()
        return _OUTPUT_GONE


def _guarded(command: Overview, arguments: Sequence[str], invocation: Invocation) -> int:
    try:
        return _invoke(command, list(arguments), invocation)
    except typer.Exit as error:
        return error.exit_code
    except typer.TyperException as error:
        return fail(failure.from_typer(error), arguments, invocation)
    except OutputGoneError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the one catch point)
        return failed(error, arguments, invocation)


def failed(error: BaseException, arguments: Sequence[str], invocation: Invocation) -> int:
    """Say how a command ended that raised `error`, and return the exit status.

    What nobody can explain is a bug and keeps its traceback.
    """
    if isinstance(error, DevboxError):
        return fail(error, arguments, invocation)
    if isinstance(error, KeyboardInterrupt | EOFError):
        return fail(InterruptedByUserError("interrupted"), arguments, invocation)
    return _bug(error, invocation)


def _invoke(command: Overview, arguments: list[str], invocation: Invocation) -> int:
    with command.make_context("devbox", arguments, obj=invocation) as context:
        status = command.invoke(context)
    return status if isinstance(status, int) else 0


def fail(error: DevboxError, arguments: Sequence[str], invocation: Invocation) -> int:
    """Show `error` in the form that was asked for and return the exit status."""
    if invocation.json or (isinstance(error, UsageError) and _wants_json(arguments)):
        invocation.terminal.document(failure.document(error))
    else:
        for line in failure.lines(error):
            invocation.terminal.say(line)
    inside = invocation.guest_command or _has_guest_command(arguments)
    return failure.status(error, guest_command=inside)


def _bug(error: BaseException, invocation: Invocation) -> int:
    invocation.terminal.verbatim("".join(traceback.format_exception(error)))
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    for line in failure.bug_lines(__version__, {"Python": platform.python_version(), "on": system}):
        invocation.terminal.say(line)
    if invocation.json:
        problem = DevboxError("this is a bug in devbox; stderr has the traceback")
        document = failure.document(problem)
        document["error"]["code"] = "internal"
        invocation.terminal.document(document)
    return failure.GUEST_COMMAND_FAILED if invocation.guest_command else 1


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` stands there, though the command line was not understood."""
    return "--json" in _ours(arguments)


def _has_guest_command(arguments: Sequence[str]) -> bool:
    """Whether a command stands after `--` of a verb that runs one inside."""
    ours = _ours(arguments)
    entry = next((found for found in map(resolve, ours) if found), None)
    return entry is not None and entry.name in ("shell", "exec") and len(arguments) > len(ours) + 1


def _ours(arguments: Sequence[str]) -> list[str]:
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words
