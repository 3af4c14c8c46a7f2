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

    def add(self, path: bytes, side: Side, text: str, *, again: bool = True) -> Trouble:
        """Note one more try that did not work. `again`: try later by itself, each time after twice the time."""
        tries = self._all[path].tries + 1 if path in self._all else 1
        wait = min(_FIRST * 2**tries, _LONGEST) if again else float("inf")
        found = Trouble(path, side, text, tries, time.monotonic() + wait)
        self._all[path] = found
        return found

    def solved(self, path: bytes) -> None:
        """It works."""
        self._all.pop(path, None)

    def due(self) -> list[Trouble]:
        """Return what is to be tried now."""
        if not self._all:
            return []
        now = time.monotonic()
        found = [one for one in self._all.values() if one.due <= now]
        for one in found:
            self._all[one.path] = one._replace(due=float("inf"))
        return found

    @property
    def next(self) -> float:
        """When something is to be tried (monotonic)."""
        return min((one.due for one in self._all.values()), default=float("inf"))

    @property
    def soon(self) -> bool:
        """Whether a file that was being changed is to be tried again, which is worth waiting for."""
        return any(one.text == CHANGING and one.tries < BUSY for one in self._all.values())

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
        return [one for one in self._all.values() if one.text != CHANGING or one.tries >= BUSY]


CHANGING: Final = "busy: it changes all the time"


def text(errno: int, room: int, needed: int) -> str:
    """Say why a request failed."""
    if errno in NO_ROOM:
        return f"no room: {needed} bytes needed, {room} free"
    return os.strerror(errno) if errno else "refused"
