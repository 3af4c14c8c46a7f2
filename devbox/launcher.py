"""The entry point of the installed command.

What a running, unchanged Environment needs is answered here, by `devbox.hot`, and all else goes to the command line
by the lazy imports that the import contract allows.
"""

import gc
import os
import sys

_KILLED = 137  # perhaps for memory, which has to be said
_INTERRUPTED = 130
_HOT = ("shell", "ssh", "exec", "up", "status")
_COMPLETE = "_DEVBOX_COMPLETE"  # a shell asks for completions of what is on its own command line


def main(packages: str | None = None) -> int:
    """Run the command line and return its exit status.

    `packages`: the directory that devbox is installed in, if Python was started without `site` (see scripts/devbox).
    """
    _hold_standard_streams()
    try:
        return _main(packages)
    except KeyboardInterrupt:  # before there was anybody who could have said it, and anything to clean up
        _say("error[interrupted]: interrupted\n")
        return _end(_INTERRUPTED)


def _hold_standard_streams() -> None:
    """Let nothing that is opened later become a standard stream which whoever started us has closed.

    That might be the engine's socket, and what a process inside writes would go there. A directory can be neither read
    nor written, so that all goes on as if they were closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open("/", os.O_RDONLY)  # the lowest number that is free: this one


def _main(packages: str | None) -> int:
    argv = sys.argv[1:]
    if any(word in _HOT for word in argv[:4]) and _COMPLETE not in os.environ:
        status = _hot(argv, packages)
        if status is not None:
            return _end(status)
    _bring_site_in(packages)
    # Imports make 100,000 objects that all stay: looking for garbage among them again and again takes 30 ms.
    gc.set_threshold(100_000, 50, 100)
    # pydantic looks for plugins in every installed package: 30 ms at each start, and other people's code in ours
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if "up" in argv[:3] or argv[:1] == ["add"]:
        from devbox.cli.quick import answer  # lazy: nobody else needs it

        status = answer(argv)
        if status is not None:
            return _end(status)
    from devbox.cli.app import run  # lazy: typer, pydantic and docker cost 300 ms

    return _end(run())


def _hot(argv: list[str], packages: str | None) -> int | None:
    """Answer `argv` the short way; None if that cannot be and nothing has been done."""
    from devbox.hot.answer import Lost, answer  # lazy: no other verb needs it

    try:
        status = answer(argv, os.environ)
        error = None
    except Lost as lost:
        status, error = None, lost
    if status == _KILLED or error is not None:
        _bring_site_in(packages)
        from devbox.cli import quick  # lazy, as in main

        status = quick.explain(argv, error) if error else quick.explain_kill(argv, _KILLED)
    return status


def _bring_site_in(packages: str | None) -> None:
    """Make of a Python without `site` an ordinary one: the virtual environment, its packages and its .pth files."""
    if packages is None or not sys.flags.no_site:
        return
    import site  # lazy: what the hot path saves

    site.main()
    if packages not in site.getsitepackages():  # pip install --user, which an isolated Python does not look at
        site.addsitedir(packages)


def _say(text: str) -> None:
    try:
        os.write(2, text.encode())
    except OSError:
        return  # nobody is left to hear it


def _end(status: int) -> int:
    """End the process without taking its modules apart one by one, which takes another 50 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed, gone or full: the terminal has said so, and Python would end with a status of its own
    os._exit(status)
