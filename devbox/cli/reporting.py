"""What the library says, on a terminal: steps live in place where that can be shown, else as plain lines."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from devbox.cli.terminal import Surface, Terminal
from devbox.cli.text import Span, clean, duration
from devbox.reporter import Progress, Reporter, SilentReporter


def make_reporter(terminal: Terminal, *, quiet: bool, verbose: bool) -> Reporter:
    """Return the Reporter for `terminal`: silent, plain lines, or lines that change in place."""
    if quiet:
        return SilentReporter()
    return TerminalReporter(terminal, verbose=verbose)


class TerminalReporter:
    """Says everything on stderr; steps are live on a terminal that can show it, else two plain lines."""

    def __init__(self, terminal: Terminal, *, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._verbose = verbose
        self._clock = clock
        self._depth = 0
        self._live: LiveArea | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        """Open a piece of long work; left by an exception it is marked as failed."""
        began = self._clock()
        indent, marks = "  " * self._depth, self._terminal.marks
        live = self._live_area()
        if live is None:
            self._terminal.say((Span(f"{indent}{marks.begun} ", "dim"), Span(title)))
        self._depth += 1
        progress = _StepProgress(self._terminal, indent=indent + "  ", verbose=self._verbose)
        mark, style = marks.failed, "error"
        try:
            with live.step(title) if live else nullcontext(progress) as shown:
                yield _Both(shown, progress) if live and self._verbose else shown
            mark, style = marks.done, "good"
        finally:
            self._depth -= 1
            took = duration(self._clock() - began)
            self._terminal.say((Span(f"{indent}{mark} ", style), Span(f"{title} "), Span(f"({took})", "dim")))

    def note(self, message: str) -> None:
        """Say something the user did not ask for but should know."""
        self._terminal.say((Span("note: ", "bold"), Span(message)))

    def warn(self, message: str) -> None:
        """Say that something is not as it should be."""
        self._terminal.say((Span("warning: ", "warn"), Span(message)))

    def debug(self, message: str) -> None:
        """Say a command, under -v alone."""
        if self._verbose:
            self._terminal.say((Span(f"+ {message}", "dim"),))

    def pause(self) -> AbstractContextManager[None]:
        """Take whatever is live off the terminal while somebody else has it."""
        return self._live.pause() if self._live else nullcontext()

    def _live_area(self) -> "LiveArea | None":
        if self._live is None and self._terminal.live:
            from devbox.cli.live import RichArea  # lazy: rich costs 80 ms

            self._live = RichArea(self._terminal)
        return self._live


class LiveArea(Surface, Protocol):
    """What shows the open steps in place; see `devbox.cli.live`."""

    def step(self, title: str) -> AbstractContextManager[Progress]:
        """Show a step until it is left."""

    def pause(self) -> AbstractContextManager[None]:
        """Be gone for a while."""


class _StepProgress:
    """A step in plain lines: what it does now is shown under -v alone."""

    def __init__(self, terminal: Terminal, *, indent: str, verbose: bool) -> None:
        self._terminal, self._indent, self._verbose = terminal, indent, verbose

    def update(self, message: str) -> None:
        if self._verbose:
            self._terminal.say((Span(self._indent + clean(message), "dim"),))

    def output(self, line: str) -> None:
        self.update("| " + line)


class _Both:
    def __init__(self, first: Progress, second: Progress) -> None:
        self._all = (first, second)

    def update(self, message: str) -> None:
        for one in self._all:
            one.update(message)

    def output(self, line: str) -> None:
        for one in self._all:
            one.output(line)
