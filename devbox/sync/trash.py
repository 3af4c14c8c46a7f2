"""What a session replaced or removed on this host, and how it comes back.

It lies in the root, under `.devbox/trash/<time>-<number>/<path>`, one directory for all that one cycle changed. To
bring it back is a change like one by hand: what is there now goes to the trash in its turn, and a running session
carries the old content to the guest.
"""

import calendar
import contextlib
import errno
import functools
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple

from devbox import confined
from devbox.confined import Root
from devbox.faults import fault
from devbox.sync.swap import NOTHING_THERE, TRASH, TRASH_MODE, Owner

DAYS = 14  # how long it is kept
_FORMAT = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(rb"(\d{8}T\d{6}Z)-.+")
_DAY = 24 * 60 * 60
_NEW_DIRECTORY = 0o755


class Batch(NamedTuple):
    """What one cycle put into the trash. `when`: seconds since the epoch. `paths`: where it was, sorted."""

    name: bytes
    when: int
    paths: tuple[bytes, ...]


class Undone(NamedTuple):
    """One path of an undo. `problem`: why it is left in the trash, empty if it is back."""

    path: bytes
    problem: str = ""


def batch_name(number: int, now: float) -> bytes:
    """Return the name of a new batch."""
    return _second(int(now)) + b"-%06d" % number


@functools.lru_cache(maxsize=1)
def _second(now: int) -> bytes:
    return time.strftime(_FORMAT, time.gmtime(now)).encode()


def is_old(name: bytes, now: float, days: int = DAYS) -> bool:
    """Whether this is a batch, by its name, that has been kept for long enough."""
    when = _when(name)
    return when is not None and when < now - days * _DAY


class Trash:
    """The trash of a root of this host."""

    def __init__(self, path: str | bytes | os.PathLike[str]) -> None:
        self._root = Root(path)
        self._owner = Owner(self._root)

    def close(self) -> None:
        """Give the handle back."""
        self._root.close()

    def batches(self) -> list[Batch]:
        """All that is in the trash, the newest first."""
        found = []
        with self._opened() as directory:
            if directory is not None:
                for name, when in _batches(directory):
                    paths = _walk(confined.open_directory(directory, name))
                    found.append(Batch(name, when, tuple(sorted(paths))))
        return sorted(found, key=lambda batch: (batch.when, batch.name), reverse=True)

    def undo(self, batch: Batch, now: float) -> list[Undone]:
        """Bring back all of a batch, as far as nothing is in the way."""
        aside = batch_name(0, now) + b"-undone-" + os.urandom(4).hex().encode()
        done = [Undone(path, self._bring_back(batch.name, path, aside)) for path in batch.paths]
        self._prune(batch.name)
        return done

    def expire(self, now: float, days: int = DAYS) -> int:
        """Remove what is older than that, by its name; returns how many batches went."""
        gone = 0
        with self._opened() as directory:
            if directory is None:
                return 0
            for name, _ in _batches(directory):
                if is_old(name, now, days):
                    fault("before the trash is emptied")
                    shutil.rmtree(os.fsdecode(name), dir_fd=directory)
                    fault("after the trash is emptied")
                    gone += 1
        return gone

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        try:
            directory = self._root.directory(TRASH)
        except OSError as error:
            if error.errno not in NOTHING_THERE:
                raise
            yield None
            return
        try:
            yield directory
        finally:
            os.close(directory)

    def _bring_back(self, batch: bytes, path: bytes, aside: bytes) -> str:
        parent, _, name = path.rpartition(b"/")
        try:
            with self._root.place(TRASH + b"/" + batch + b"/" + path) as kept:
                directory = self._make(parent, _NEW_DIRECTORY)
                try:
                    return self._put_back(kept, confined.Place(directory, name), aside + b"/" + path)
                finally:
                    os.close(directory)
        except OSError as error:
            return os.strerror(error.errno or errno.EIO).lower()

    def _put_back(self, kept: confined.Place, place: confined.Place, aside: bytes) -> str:
        there = place.look()
        fault("before it is brought back")
        if there is None:
            confined.rename_new(kept.directory, kept.name, place.directory, place.name)
        elif not stat.S_ISREG(there.st_mode) and not stat.S_ISLNK(there.st_mode):
            return "there is something that is no file now"
        else:
            confined.exchange(kept.directory, kept.name, place.directory, place.name)
            fault("amid bringing it back")  # what was there is in the trash already, if under the old name
            directory = self._make(TRASH + b"/" + aside.rpartition(b"/")[0], TRASH_MODE)
            try:
                confined.rename_new(kept.directory, kept.name, directory, kept.name)
            finally:
                os.close(directory)
        fault("after it is brought back")
        return ""

    def _make(self, path: bytes, mode: int) -> int:
        if not path:
            return self._root.directory(b"")
        return self._root.make_directories(path, mode, self._owner.give)

    def _prune(self, batch: bytes) -> None:
        """Remove the directories of a batch that are empty now."""
        with self._opened() as directory:
            if directory is None:
                return
            for _, names, _, handle in os.fwalk(os.fsdecode(batch), topdown=False, dir_fd=directory):
                for name in names:
                    _remove_empty(name, handle)
            _remove_empty(os.fsdecode(batch), directory)


def _remove_empty(name: str, directory: int) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=directory)


def _batches(directory: int) -> Iterator[tuple[bytes, int]]:
    """Give the names and times of what is one of ours."""
    with os.scandir(directory) as entries:
        names = [os.fsencode(entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        when = _when(name)
        if when is not None:
            yield name, when


def _walk(directory: int, prefix: bytes = b"") -> Iterator[bytes]:
    """Give the paths of what is below a directory and is none itself. Closes it."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                path = prefix + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(confined.open_directory(directory, os.fsencode(entry.name)), path + b"/")
                else:
                    yield path
    finally:
        os.close(directory)


def _when(name: bytes) -> int | None:
    """Return the time in a batch's name; None if it is none of ours."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    try:
        return calendar.timegm(time.strptime(found.group(1).decode(), _FORMAT))
    except ValueError:
        return None
