"""A person at the serial console of a machine: the last way in, where there is no agent."""

import contextlib
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.agent.streams import Raw
from devbox.vm.keyboard import typing

LEAVE: Final = b"\x1d"  # Ctrl-]
_PAUSE: Final = 0.05
_LOOK: Final = 1.0  # seconds between two looks whether it still runs
_QUIET: Final = 2.0  # seconds without a word after which one that nobody types at any more is left
_PIECE: Final = 4096
_SHOWN: Final = 2000  # bytes of what was said before


def attached(directory: Path, *, runs: Callable[[], bool], stdin: int = 0, stdout: int = 1) -> None:
    """Be at the console of the machine in `directory` until `LEAVE` is typed, the input ends, or it does not run.

    `MachineError` if nobody reads what is typed. A terminal is as it was before, whatever happens.
    """
    raw = Raw(stdin) if os.isatty(stdin) else None
    heard = Heard(directory / paths.MACHINE_CONSOLE, before=_SHOWN)
    with typing(directory) as keys:
        try:
            if raw:
                raw.enter()
            _relayed(heard, keys, runs, stdin, stdout)
        finally:
            if raw:
                raw.leave()


def _relayed(heard: "Heard", keys: int, runs: Callable[[], bool], stdin: int, stdout: int) -> None:
    looked = said = time.monotonic()
    ended = False
    while True:
        if said_now := heard.more():
            _write(stdout, said_now)
            said = time.monotonic()
        now = time.monotonic()
        if ended and now - said > _QUIET:
            return
        if now - looked > _LOOK:
            looked = now
            if not runs():
                _write(stdout, heard.more())
                return
        readable, _, _ = select.select([] if ended else [stdin], [], [], _PAUSE)
        if readable:
            typed = os.read(stdin, _PIECE)
            before, left, _ = typed.partition(LEAVE)
            _write(keys, before)
            if left:
                return
            ended = not typed
            said = time.monotonic()


class Heard:
    """What the ring keeps, followed as it grows and turns over. `before`: bytes that are there and are wanted."""

    def __init__(self, path: Path, *, before: int) -> None:
        self._path = path
        self._file = -1
        with contextlib.suppress(FileNotFoundError):
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


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting while nobody reads."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [], _LOOK)
