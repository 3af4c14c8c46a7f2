"""Paths with which something does not work: what, and when it is tried again. None of them stops the session."""

import errno as errnos
import os
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from devbox.sync.core.entry import Side

NO_ROOM: Final = (errnos.ENOSPC, errnos.EDQUOT)
BUSY: Final = 5  # tries after which a file that keeps changing is told as busy
_FIRST: Final = 0.05
_LONGEST: Final = 30.0
_DOUBLED: Final = 16  # times, after which it is the longest for long: of a thousand no number can be made
_NEVER: Final = float("inf")
_EACH: Final = 2e-6  # seconds until all are looked at again, for each of them: a tenth of the time at most goes into it


class Trouble(NamedTuple):
    """One. `tries` so far; `due`: when the next one is (monotonic), infinite if only a change of it counts."""

    path: bytes
    side: Side
    text: str
    tries: int
    due: float


class Troubles:
    """All of a session, by path."""

    def __init__(self) -> None:
        self._all: dict[bytes, Trouble] = {}
        self._doubts: dict[bytes, Trouble] = {}  # files of the host of which nobody knows what they say
        self._doubted: dict[bytes, float] = {}  # and since when
        self._rest = 0.0  # they are not looked at before
        self._next = _NEVER  # nothing is due before: with a hundred thousand of them nobody wants to look at each turn

    def add(self, path: bytes, side: Side, text: str, *, again: bool = True) -> Trouble:
        """Note one more try that did not work. `again`: try later by itself, each time after twice the time."""
        return self._note(self._all, path, side, text, again=again)

    def _note(self, into: dict[bytes, Trouble], path: bytes, side: Side, text: str, *, again: bool) -> Trouble:
        tries = into[path].tries + 1 if path in into else 1
        wait = min(_FIRST * 2 ** min(tries, _DOUBLED), _LONGEST) if again else _NEVER
        found = into[path] = Trouble(path, side, text, tries, time.monotonic() + wait)
        self._next = min(self._next, max(found.due, self._rest))
        return found

    def solved(self, path: bytes) -> None:
        """It works."""
        self._all.pop(path, None)

    def doubt(self, path: bytes, text: str) -> None:
        """Nobody knows what a file of the host says: look again, until it is `sure`, whatever else is solved."""
        self._note(self._doubts, path, Side.HOST, text, again=True)
        self._doubted.setdefault(path, time.monotonic())

    def sure(self, path: bytes) -> None:
        """It is known what it says."""
        self._doubts.pop(path, None)
        self._doubted.pop(path, None)

    def doubted(self, path: bytes) -> float:
        """For how many seconds it is a doubt; negative if it is none."""
        return time.monotonic() - self._doubted[path] if path in self._doubted else -1.0

    def due(self) -> list[Trouble]:
        """Return what is to be tried now."""
        found: list[Trouble] = []
        now = time.monotonic()
        if now < self._next:
            return found
        for some in (self._all, self._doubts):
            due = [one for one in some.values() if one.due <= now]
            for one in due:
                some[one.path] = one._replace(due=_NEVER)
            found += due
        self._rest = now + _EACH * (len(self._all) + len(self._doubts))
        self._next = max(min((one.due for one in self._both()), default=_NEVER), self._rest)
        return found

    @property
    def next(self) -> float:
        """When something is to be tried (monotonic), at the earliest."""
        return self._next

    @property
    def soon(self) -> bool:
        """Whether a file that was being changed is to be tried again, which is worth waiting for."""
        return any(one.text == CHANGING and one.tries < BUSY and one.due < _NEVER for one in self._both())

    def _both(self) -> Iterator[Trouble]:
        yield from self._all.values()
        yield from self._doubts.values()

    def changing(self, path: bytes) -> int:
        """How many times in a row a file was being changed when it was looked at."""
        return self._all[path].tries if path in self._all and self._all[path].text == CHANGING else 0

    def __iter__(self) -> Iterator[Trouble]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    @property
    def told(self) -> list[Trouble]:
        """Return those that people should know of: a file that changed while it was read is tried a few times."""
        return [one for one in self._both() if one.text != CHANGING or one.tries >= BUSY]


CHANGING: Final = "busy: it changes all the time"


def text(errno: int, room: int, needed: int) -> str:
    """Say why a request failed."""
    if errno in NO_ROOM:
        return f"no room: {needed} bytes needed, {room} free"
    return os.strerror(errno) if errno else "refused"
