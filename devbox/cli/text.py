"""Text for a terminal: styled spans, cleaning of what came from outside, tables, durations. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from devbox.hot.show import ANSI
from devbox.values import printable

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line in one style, a key of `ANSI`."""

    text: str
    style: str = ""


Line = str | Sequence[Span]


def render(line: Line, *, colour: bool) -> str:
    """Return `line` as it is written, without its line end; nothing in it can steer the terminal (S-09)."""
    spans = (Span(line),) if isinstance(line, str) else line
    return "".join(_paint(span, colour=colour) for span in spans)


def _paint(span: Span, *, colour: bool) -> str:
    text = printable(span.text)
    code = ANSI[span.style]
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code and text else text


def clean(raw: str) -> str:
    """Return one line of a foreign tool's output as a terminal would show it in the end.

    Colours and cursor movements go, what a carriage return overwrote goes, tabs become spaces, and all else
    that could steer a terminal is escaped.
    """
    text = _SEQUENCE.sub("", raw).rstrip("\r\n")
    return printable(text.rsplit("\r", 1)[-1].expandtabs(4))


def duration(seconds: float) -> str:
    """Return `seconds` for a person: "3.2 s", "2 min 05 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def table(rows: Iterable[Sequence[str | Span]], *, gap: int = 2) -> list[Line]:
    """Return `rows` as lines with columns as wide as their widest cell; the last column is not padded."""
    cells = [[cell if isinstance(cell, Span) else Span(cell) for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    widths = [max((_width(row[at]) for row in cells if at < len(row)), default=0) for at in range(columns)]
    return [tuple(_padded(row, widths, gap)) for row in cells]


def escaped(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return a document with every text in it made fit for a terminal."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {name: escaped(item) for name, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list) else value


def as_lines(lines: Iterable[Iterable[tuple[str, str]]]) -> list[Line]:
    """Return lines of `devbox.hot.show` as lines of ours."""
    return [tuple(Span(text, style) for text, style in line) for line in lines]


def _padded(row: Sequence[Span], widths: Sequence[int], gap: int) -> Iterator[Span]:
    for at, cell in enumerate(row):
        yield cell if at == len(row) - 1 else Span(cell.text + " " * (widths[at] - _width(cell) + gap), cell.style)


def _width(cell: Span) -> int:
    return len(printable(cell.text))
