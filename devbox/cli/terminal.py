"""Terminal: the only place that prints. Results go to stdout, everything else to stderr."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TextIO

from devbox.cli.text import Line, Span, clean, render
from devbox.errors import DevboxError, UsageError

SCHEMA: Final = 1


class OutputGoneError(Exception):
    """Whoever read the result has gone (EPIPE); nothing is left to say."""


class Surface(Protocol):
    """Something that holds lines at the bottom of the terminal and must make room for others."""

    def above(self, line: Line) -> None:
        """Write `line` above it."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The signs that the terminal can show."""

    done: str
    failed: str
    begun: str


UNICODE: Final = Marks("✓", "✗", "·")
ASCII: Final = Marks("ok", "failed:", "-")


@dataclass(kw_only=True)
class Terminal:
    """The two output streams and the one input stream of this process."""

    stdin: TextIO | None
    stdout: TextIO | None
    stderr: TextIO | None
    environ: Mapping[str, str]
    surface: Surface | None = field(default=None, init=False)  # what is live on stderr now

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked: what is asked goes to stderr, the answer comes from stdin."""
        return _is_terminal(self.stdin) and _is_terminal(self.stderr)

    @property
    def live(self) -> bool:
        """Whether stderr can show something that changes in place."""
        return _is_terminal(self.stderr) and self.environ.get("TERM", "") not in ("", "dumb")

    @property
    def marks(self) -> Marks:
        """The signs that the locale and the stream's encoding can show."""
        encoding = (getattr(self.stderr, "encoding", None) or "ascii").lower().replace("-", "")
        return UNICODE if encoding == "utf8" and _speaks_utf8(self.environ) else ASCII

    def colour(self, stream: TextIO | None) -> bool:
        """Whether `stream` may get colours (https://no-color.org)."""
        dumb = self.environ.get("TERM", "") in ("", "dumb")
        return _is_terminal(stream) and not dumb and not self.environ.get("NO_COLOR")

    def result(self, lines: Iterable[Line]) -> None:
        """Write the result of a verb for a person."""
        colour = self.colour(self.stdout)
        self._out("".join(render(line, colour=colour) + "\n" for line in lines))

    def text(self, text: str) -> None:
        """Write `text`, made by devbox itself, as the result; it is not escaped and keeps its line ends."""
        self._out(text if text.endswith("\n") else text + "\n")

    def document(self, document: Mapping[str, Any]) -> None:
        """Write the one JSON document of a verb."""
        self._out(json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=True) + "\n")

    def foreign(self, stream: int, data: bytes) -> None:
        """Pass on what a process inside wrote to its stdout (1) or stderr (2): untouched, but never to a terminal."""
        target = self.stdout if stream == 1 else self.stderr
        if target is None:
            return
        if _is_terminal(target):
            ended = data.decode("utf-8", "replace").split("\n")
            text = "\n".join(clean(line) for line in ended)
            self._out(text) if stream == 1 else self._err(text)
            return
        with _written():
            target.flush()
            target.buffer.write(data)
            target.buffer.flush()

    def data(self, data: bytes) -> None:
        """Write bytes that are the result of a verb, as an archive."""
        if self.stdout is None:
            return
        with _written():
            self.stdout.flush()
            self.stdout.buffer.write(data)
            self.stdout.buffer.flush()

    def require_pipe(self, *, with_json: bool) -> None:
        """Raise `UsageError` unless bytes can be the result: not on a terminal, nor beside a JSON document."""
        if with_json or _is_terminal(self.stdout):
            where = "beside a JSON document" if with_json else "on a terminal"
            raise UsageError(f"an archive cannot be written {where}", hint="give it a file: -o FILE.tar")

    def say(self, line: Line) -> None:
        """Write one line to stderr, above whatever is live there."""
        if self.surface is not None:
            self.surface.above(line)
            return
        self._err(render(line, colour=self.colour(self.stderr)) + "\n")

    def verbatim(self, text: str) -> None:
        """Write `text` of Python's own (a traceback) to stderr."""
        self._err(text if text.endswith("\n") else text + "\n")

    def ask(self, question: str) -> bool:
        """Ask for a yes; anything else, the end of the input too, is a no."""
        if self.stdin is None:
            return False
        self._err(render((Span(question, "bold"), Span(" [y/N] ")), colour=self.colour(self.stderr)))
        answer = self.stdin.readline()
        if not answer.endswith("\n"):
            self._err("\n")
        return answer.strip().lower() in ("y", "yes")

    def _out(self, text: str) -> None:
        if self.stdout is None or not text:
            return
        with _written():
            self.stdout.write(_encodable(text, self.stdout))
            self.stdout.flush()

    def _err(self, text: str) -> None:
        if self.stderr is None:
            return
        try:
            self.stderr.write(_encodable(text, self.stderr))
            self.stderr.flush()
        except OSError:
            return  # nobody is left to hear it, and nowhere to say so


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputGoneError from error
    except OSError as error:
        raise DevboxError(
            f"cannot write the result: {error.strerror or error}", hint="look at where the output goes to"
        ) from error


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    # Python itself falls back to UTF-8 in the C locale (PEP 540), so its own encoding does not tell.
    value = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return "utf8" in value.lower().replace("-", "")


def discard_stdout() -> None:
    """Let what Python still wants to flush into a closed stdout at its exit go nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
    except OSError:
        return
    finally:
        os.close(null)
