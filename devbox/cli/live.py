"""The open steps, live at the bottom of the terminal. Loaded when the first one opens: rich is slow to import."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from devbox.cli.terminal import UNICODE, Terminal
from devbox.cli.text import Line, clean, duration, render
from devbox.reporter import Progress

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_ASCII = "|/-\\"
_PER_SECOND = 10


@dataclass
class _Open:
    """One open step. `doing`: what was said last."""

    title: str
    began: float = field(default_factory=time.monotonic)
    doing: str = ""

    def update(self, message: str) -> None:
        self.doing = clean(message)

    def output(self, line: str) -> None:
        text = clean(line)
        if text.strip():
            self.doing = text


class RichArea:
    """Keeps one line per open step, and under the innermost the last thing that it said, cut to the width."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._steps: list[_Open] = []
        self._colour = terminal.colour(terminal.stderr)
        self._frames = _FRAMES if terminal.marks is UNICODE else _FRAMES_ASCII
        self._ellipsis = "…" if terminal.marks is UNICODE else ""
        self._console = Console(
            file=terminal.stderr, force_terminal=True, no_color=not self._colour, highlight=False, markup=False
        )
        self._live: Live | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        """Show a step until it is left."""
        mine = _Open(clean(title))
        self._steps.append(mine)
        self._show()
        try:
            yield mine
        finally:
            self._steps.remove(mine)
            if not self._steps:
                self._hide()

    def above(self, line: Line) -> None:
        """Write `line` above the open steps."""
        text = Text.from_ansi(render(line, colour=self._colour))
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Be gone for a while."""
        self._hide()
        try:
            yield
        finally:
            if self._steps:
                self._show()

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(
                self,
                console=self._console,
                refresh_per_second=_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            self._terminal.surface = self

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._terminal.surface = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines as they are now."""
        now = time.monotonic()
        frame = self._frames[int(now * _PER_SECOND) % len(self._frames)]
        width = options.max_width - 1
        for depth, step in enumerate(list(self._steps)):
            took = duration(now - step.began)
            room = width - 2 * depth - 3 - len(took)
            spinner, time_taken = (frame, self._style("cyan")), (took, self._style("dim"))
            parts = ("  " * depth, spinner, " ", self._cut(step.title, room), " ", time_taken)
            yield Text.assemble(*parts, no_wrap=True, overflow="crop")
            if step.doing and depth == len(self._steps) - 1:
                doing = "  " * (depth + 1) + self._cut(step.doing, width - 2 * depth - 2)
                yield Text(doing, style=self._style("dim"), no_wrap=True, overflow="crop")

    def _style(self, name: str) -> str:
        return name if self._colour else ""

    def _cut(self, text: str, width: int) -> str:
        if len(text) <= width:
            return text
        return text[: max(0, width - len(self._ellipsis))] + self._ellipsis
