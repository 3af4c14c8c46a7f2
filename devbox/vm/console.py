"""What a machine says: the files that `ring` keeps, read and followed. It is the guest's text: trust none of it."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.values import printable
from devbox.vm import ring

_LINES: Final = 20  # that an error shows
_AFTER: Final = 6  # of them from the one that says why
_LATE: Final = 2.0  # seconds in which the ring has written what it was given
_PAUSE: Final = 0.02
_LOOK: Final = 0.25  # seconds between two looks at what is followed
_PIECE: Final = 4096
_ESCAPES: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\^_c])")
_NOTHING_TO_BOOT: Final = re.compile(r"No bootable device\.")  # what the BIOS says
_FAILURES: Final = (
    _NOTHING_TO_BOOT,
    re.compile(r"Kernel panic - not syncing: [^\r\n]*"),
    re.compile(r"devbox: boot: [^\r\n]*"),  # what the agent says when it cannot get as far as the machine's own init
)


class Console:
    """The console of the machine in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / paths.MACHINE_CONSOLE
        self._before = self._beside(".1")
        self._end = self._beside(".end")
        self._seen: tuple[int, int] | None = None
        self._failure: str | None = None

    def reader(self) -> tuple[str, ...]:
        """Return the program that keeps it, reading from its stdin."""
        return (sys.executable, "-I", "-S", str(ring.__file__), paths.MACHINE_CONSOLE)

    def clear(self) -> None:
        """Forget what was said by the machine before, whose ring has ended."""
        for path in (self._end, self._before, self._file):
            path.unlink(missing_ok=True)
        self._seen = self._failure = None

    def said(self) -> bytes:
        """Return all that was kept, as it was said."""
        return b"".join(_read(path) for path in (self._before, self._file))

    def text(self) -> str:
        """Return the same as text."""
        return self.said().decode("utf-8", "replace")

    def tail(self, lines: int = _LINES) -> str:
        """Return the last lines of it that say something, safe to be shown."""
        return "\n".join(self._lines()[-lines:])

    def around(self, words: str) -> str:
        """Return the lines up to the one with `words`, and a few more: a panic ends in a long trace. Else the last."""
        said = self._lines()
        end = next((number + _AFTER for number, line in enumerate(said) if words in line), len(said))
        return "\n".join(said[max(0, end - _LINES) : end])

    def lines(self, tail: int | None, runs: Callable[[], bool]) -> Iterator[str]:
        """Yield its last lines (None: all of them), then those that come while the machine `runs`, safe to be shown."""
        heard = Heard(self._file, before=ring.LIMIT)
        said = _read(self._before)
        while True:
            over = self._end.exists() or not runs()
            said += heard.more()
            end = len(said) if over or len(said) > 2 * ring.LIMIT else said.rfind(b"\n") + 1
            whole = _lines(said[:end].decode("utf-8", "replace"))
            yield from whole if tail is None else whole[max(0, len(whole) - tail) :]
            if over:
                return
            said, tail = said[end:], None
            time.sleep(_LOOK)

    def _lines(self) -> list[str]:
        return _lines(self.text())

    def failure(self) -> str | None:
        """Return the line by which the kernel, or the agent in its place, said that it gives up; None if none did."""
        state = _state(self._file)
        if state != self._seen and not self._failure:
            text = self.text()
            if not self._end.exists():  # a line that is being written says half of it
                text = text[: text.rfind("\n") + 1] + "".join(_NOTHING_TO_BOOT.findall(text))
            found = [match[0] for pattern in _FAILURES if (match := pattern.search(text))]
            self._failure = printable(found[0].strip()) if found else None
            self._seen = state
        return self._failure

    def settle(self) -> None:
        """Wait until all is written that was said; for a machine whose QEMU has ended."""
        until = time.monotonic() + _LATE
        while not self._end.exists() and time.monotonic() < until:
            time.sleep(_PAUSE)

    def _beside(self, suffix: str) -> Path:
        return self._file.with_name(self._file.name + suffix)


def _lines(text: str) -> list[str]:
    said = [printable(_ESCAPES.sub("", line).replace("\t", "    ")) for line in re.split(r"[\r\n]+", text)]
    return [line.rstrip() for line in said if line.strip()]


def _read(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def _state(path: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        facts = path.stat()
        return facts.st_ino, facts.st_size
    return None


class Heard:
    """What the ring keeps, followed as it grows and turns over. `before`: bytes that are there and are wanted."""

    def __init__(self, path: Path, *, before: int) -> None:
        self._path = path
        self._file = -1
        with suppress(FileNotFoundError):
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            os.lseek(self._file, max(0, os.fstat(self._file).st_size - before), os.SEEK_SET)

    def more(self) -> bytes:
        """Return what has come since the last time."""
        found = b"" if self._file < 0 else _rest(self._file)
        try:
            newest = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return found  # between two of its files
        if self._file >= 0 and os.path.sameopenfile(self._file, newest):
            os.close(newest)
            return found
        if self._file >= 0:
            found += _rest(self._file)  # what came before it turned over
            os.close(self._file)
        self._file = newest
        return found + _rest(newest)


def _rest(descriptor: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, _PIECE):
        pieces.append(piece)
    return b"".join(pieces)
