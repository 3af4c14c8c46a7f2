"""Reporter: where the library speaks. It never prints; whoever calls it decides what a person sees."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """One piece of long work that is going on."""

    def update(self, message: str) -> None:
        """Say what the work does now; replaces what was said before."""

    def output(self, line: str) -> None:
        """Pass on one line of a foreign tool's output, without its line end, unescaped."""


class Reporter(Protocol):
    """Receives what the library has to say; every method returns at once and raises nothing."""

    def step(self, title: str) -> AbstractContextManager[Progress]:
        """Open a piece of long work; left by an exception it counts as failed."""

    def note(self, message: str) -> None:
        """Say something the user did not ask for but should know."""

    def warn(self, message: str) -> None:
        """Say that something is not as it should be, though the work goes on."""

    def debug(self, message: str) -> None:
        """Say a command or engine call, in a form that can be pasted."""

    def pause(self) -> AbstractContextManager[None]:
        """Hand the terminal to somebody else for a while."""


class _Nowhere:
    def update(self, message: str) -> None: ...

    def output(self, line: str) -> None: ...


class SilentReporter:
    """Says nothing."""

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:  # noqa: ARG002
        """Open a piece of work that nobody hears of."""
        yield _Nowhere()

    def note(self, message: str) -> None:
        """Drop it."""

    def warn(self, message: str) -> None:
        """Drop it."""

    def debug(self, message: str) -> None:
        """Drop it."""

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do nothing."""
        yield
