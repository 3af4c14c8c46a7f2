"""What goes on until Ctrl-C: there that is the end, and no error."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from devbox.interrupts import SignalledError


@contextmanager
def until_ctrl_c() -> Iterator[None]:
    """Within, Ctrl-C ends the command without a word, and with the exit status that a shell has for it.

    SIGTERM and SIGHUP, which nobody is told to send, are still said.
    """
    try:
        yield
    except SignalledError as error:
        if error.number != signal.SIGINT:
            raise
        raise typer.Exit(error.status) from None
