"""SIGINT, SIGTERM and SIGHUP as an exception, so that they clean up like a failure (fault 28)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from devbox.errors import InterruptedByUserError

_held = 0  # how many `uninterrupted` blocks the main thread is in
_waiting: list[int] = []  # signals that came meanwhile


class SignalledError(InterruptedByUserError):
    """Interrupted by signal `number`; the exit status is 128 + that."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}", hint="run the same command again to go on")
        self.number = number

    @property
    def status(self) -> int:
        """The exit status that a shell would report."""
        return 128 + self.number


@contextmanager
def signals_raise() -> Iterator[None]:
    """Within, SIGINT, SIGTERM and SIGHUP raise `SignalledError` in the main thread; a second one is not held back.

    To be put around the whole command. The handlers from before come back afterwards.
    """
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in caught}
    _waiting.clear()
    for number in caught:
        signal.signal(number, _handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if _held:
        _waiting.append(number)
    else:
        raise SignalledError(number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within, the signals of `signals_raise` wait; the first is raised when the block is left.

    For a moment in which something comes into being that nobody could clean up yet. To be left within the `try`
    whose `finally` does that. Main thread.
    """
    global _held  # noqa: PLW0603 (signals are the process's)
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _waiting and not _held:
        number = _waiting[0]
        _waiting.clear()
        raise SignalledError(number)
