"""Small files on their way to this host: on the disk before they are in place, many of them for the price of one.

A file whose name outlives a loss of power while its content does not is worse than no file: it is an edit that nobody
made, and would be carried to the other side. So the content is on the disk before the name is changed. One edit waits
for that alone; what comes in quick succession is put aside, and one call has all of it on the disk.
"""

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable

from devbox import confined
from devbox.confined import Root
from devbox.sync.content import after, digest, require_there, sync_file, write
from devbox.sync.core.entry import Stamp
from devbox.sync.endpoint import (
    CHUNK,
    Answer,
    Begin,
    Chunk,
    Copy,
    Hash,
    MakeDirectory,
    Mark,
    Put,
    Read,
    Request,
    Stat,
)
from devbox.sync.swap import ChangedError, Changer, temporary_name

QUIET = 5_000_000  # ns without a Put, after which the next is in place before `put` returns
_FEW = 4  # so many are brought to the disk one by one; for more, all that the file system has is
_MANY = 128
_BYTES = 8 << 20
_APART = (Stat, Hash, Read, Begin, Chunk, Copy, MakeDirectory, Mark)  # to them only their own path matters

Guard = Callable[[Callable[[], Answer]], Answer]
_libc = ctypes.CDLL(None, use_errno=True)


class _Staged:
    """One that is written and not in place. `directory`: where it was written, whatever its path is by now."""

    __slots__ = ("descriptor", "directory", "done", "new", "request", "temporary")

    def __init__(self, request: Put, done: Callable[[Answer], None], directory: int) -> None:
        self.request, self.done = request, done
        self.temporary = temporary_name()
        self.descriptor = confined.create(directory, self.temporary)
        self.directory = os.dup(directory)
        self.new: Stamp | None = None

    def drop(self) -> None:
        """Remove it, if it is not in place."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.temporary, dir_fd=self.directory)
        self.close()

    def close(self) -> None:
        """Give its handles back."""
        os.close(self.directory)
        os.close(self.descriptor)


class Puts:
    """Those that are not in place. `guard` makes an answer of what goes wrong."""

    def __init__(self, root: Root, changer: Changer, guard: Guard) -> None:
        self._root = root
        self._changer = changer
        self._guard = guard
        self._staged: dict[bytes, _Staged] = {}
        self._bytes = 0
        self._last = 0

    def put(self, request: Put, done: Callable[[Answer], None]) -> bool:
        """Write it; `done` is called from here or from `settle`. Returns whether something waits for that now.

        Raises what forbids it, and then `done` is not called.
        """
        if request.path in self._staged:
            self.settle()
        self._staged[request.path] = self._stage(request, done)
        self._bytes += len(request.data)
        quiet = time.monotonic_ns() - self._last > QUIET
        if quiet or len(self._staged) >= _MANY or self._bytes >= _BYTES:
            self.settle()
        return bool(self._staged)

    def concerns(self, request: Request) -> bool:
        """Whether what is not in place must be, before this is done."""
        if not self._staged:
            return False
        return not isinstance(request, _APART) or getattr(request, "path", b"") in self._staged

    def settle(self) -> None:
        """Have all in place."""
        if not self._staged:
            return
        staged, self._staged, self._bytes = list(self._staged.values()), {}, 0
        problem = _sync(self._root, staged)
        for one in staged:
            answer = self._guard(lambda one=one: self._finish(one, problem))  # type: ignore[misc]
            self._last = time.monotonic_ns()
            one.done(answer)

    def close(self) -> None:
        """Forget what is not in place; nobody hears of it."""
        for one in self._staged.values():
            one.drop()
        self._staged.clear()

    def _stage(self, request: Put, done: Callable[[Answer], None]) -> _Staged:
        if len(request.data) > CHUNK:
            raise confined.RefusedError("more than one piece")
        if digest(request.data) != request.digest:
            raise ChangedError(None)
        with self._changer.place(request.path, request.expected, request.keep) as place:
            old = self._changer.require(place, request.expected)
            one = _Staged(request, done, place.directory)
            try:
                write(one.descriptor, request.data)
                one.new = self._changer.dress(one.descriptor, old, executable=request.executable, mtime=request.mtime)
            except BaseException:
                one.drop()
                raise
            return one

    def _finish(self, one: _Staged, problem: OSError | None) -> Answer:
        request = one.request
        if problem is not None:
            one.drop()
            raise problem
        try:
            with self._changer.place(request.path, request.expected, request.keep) as place:
                require_there(place, one.temporary, one.descriptor)
                self._changer.install(place, one.temporary, request.expected, request.keep)
            answer = Answer(stamp=after(one.descriptor, one.new)) if one.new else Answer()
        except BaseException:
            one.drop()
            raise
        one.close()
        return answer


def _sync(root: Root, staged: list[_Staged]) -> OSError | None:
    """Have all of it on the disk; returns what prevents it."""
    try:
        if len(staged) > _FEW and sys.platform == "linux":
            sync_all(root.descriptor)
        else:
            for one in staged:
                sync_file(one.descriptor)
    except OSError as error:
        return error
    return None


def sync_all(descriptor: int) -> None:
    """Have all on the disk that the file system of an open directory has."""
    if _libc.syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
