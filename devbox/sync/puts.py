"""Small files on their way to this host, each in place at once; and what of them is not on the disk yet.

A name may outlive a loss of power while its content does not. So nobody takes what was put for what both sides have,
in a place that outlives it, before `Unsettled` has it on the disk, name and all: many files for the price of one.
"""

import contextlib
import ctypes
import os
import sys

from devbox import confined
from devbox.confined import Root
from devbox.faults import fault
from devbox.sync.content import after, digest, write
from devbox.sync.endpoint import CHUNK, Answer, Put
from devbox.sync.swap import ChangedError, Changer, temporary_name

_FEW = 8  # so many are brought to the disk one by one; for more, all that the file system has is

_libc = ctypes.CDLL(None, use_errno=True)


class Unsettled:
    """Files that are in place, and maybe not on the disk."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._files: list[int] = []
        self._all = False

    def add(self, descriptor: int) -> None:
        """Take an open file, and close it when it is on the disk."""
        if self._all or len(self._files) == _FEW:
            os.close(descriptor)
            self._all = True
        else:
            self._files.append(descriptor)

    def settle(self) -> None:
        """Have all on the disk. `OSError`: nobody knows what of it is."""
        if not self._all and not self._files:
            return
        fault("before it is on the disk")
        try:
            if self._all and sys.platform == "linux":
                sync_all(self._root.descriptor)
            else:
                for descriptor in self._files:
                    sync_named(descriptor)
                if self._all:
                    os.sync()
        except OSError:
            self.close()
            self._all = True  # whoever asks again wants to know of all
            raise
        self.close()
        fault("after it is on the disk")

    def close(self) -> None:
        """Leave it to the system."""
        for descriptor in self._files:
            os.close(descriptor)
        self._files.clear()
        self._all = False


class Puts:
    """Has them in place."""

    def __init__(self, changer: Changer, unsettled: Unsettled) -> None:
        self._changer = changer
        self._unsettled = unsettled

    def put(self, request: Put) -> Answer:
        """Have one in place."""
        if len(request.data) > CHUNK:
            raise confined.RefusedError("more than one piece")
        if digest(request.data) != request.digest:
            raise ChangedError(None)
        with self._changer.place(request.path, request.expected, request.keep) as place:
            old = self._changer.require(place, request.expected)
            temporary = temporary_name()
            mode = self._changer.mode(old, executable=request.executable)
            descriptor = confined.create(place.directory, temporary, mode)
            try:
                try:
                    write(descriptor, request.data)
                    new = self._changer.dress(descriptor, old, executable=request.executable, mtime=request.mtime)
                except BaseException:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(temporary, dir_fd=place.directory)
                    raise
                self._changer.install(place, temporary, request.expected, request.keep, ours=new, looked=True)
                answer = Answer(stamp=after(descriptor, new))
            except BaseException:
                os.close(descriptor)
                raise
        self._unsettled.add(descriptor)
        return answer


def sync_named(descriptor: int) -> None:
    """Have an open file on the disk; its name as well, which is why fdatasync is not enough."""
    os.fsync(descriptor)


def sync_all(descriptor: int) -> None:
    """Have all on the disk that the file system of an open directory has."""
    if _libc.syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
