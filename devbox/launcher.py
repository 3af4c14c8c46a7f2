"""The entry point of the installed command.

It stays free of heavy imports: what a running, unchanged Environment needs will be answered here,
and all else goes to the command line by the one lazy import that the import contract allows.
"""

import gc
import os
import sys


def main() -> int:
    """Run the command line and return its exit status."""
    # Imports make 100,000 objects that all stay: looking for garbage among them again and again takes 30 ms.
    gc.set_threshold(100_000, 50, 100)
    argv = sys.argv[1:]
    if "up" in argv[:3]:
        from devbox.cli.quick import answer  # lazy: nobody else needs it

        status = answer(argv)
        if status is not None:
            return _end(status)
    # pydantic looks for plugins in every installed package: 30 ms at each start, and other people's code in ours
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from devbox.cli.app import run  # lazy: typer, pydantic and docker cost 300 ms

    return _end(run())


def _end(status: int) -> int:
    """End the process without taking its modules apart one by one, which takes another 50 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed, gone or full: the terminal has said so, and Python would end with a status of its own
    os._exit(status)
