"""Contents of open files of this host: read, written, hashed, and known to be the same as before."""

import errno
import hashlib
import os
import sys
from collections.abc import Iterator

from devbox import confined
from devbox.confined import NotAFileError, Place, Root
from devbox.sync.core.entry import Stamp
from devbox.sync.swap import NOTHING_THERE, ChangedError, look, stamp_of

_DIGEST = 32
_PIECE = 1 << 20  # bytes hashed at once
_TO_THE_END = 1 << 63


def digest(data: bytes) -> bytes:
    """Return the digest of some content."""
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def digests(descriptor: int, block: int) -> Iterator[bytes]:
    """Give the digest of each block of an open file; of all of it, if `block` is 0."""
    size = os.fstat(descriptor).st_size
    for start in range(0, size, block) if block else (0,):
        found = hashlib.blake2b(digest_size=_DIGEST)
        _feed(found, descriptor, start, start + block if block else _TO_THE_END)
        yield found.digest()


def _feed(into: "hashlib.blake2b", descriptor: int, offset: int, end: int) -> int:
    """Hash what stands from `offset` on, to `end` or to the end of the file; returns how far it came."""
    while offset < end and (piece := os.pread(descriptor, min(_PIECE, end - offset), offset)):
        into.update(piece)
        offset += len(piece)
    return offset


class Digester:
    """The digest of a file that is being written, without a second reading of what was written in order."""

    __slots__ = ("_hash", "_known")

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_DIGEST)
        self._known = 0

    def add(self, offset: int, data: bytes) -> None:
        """`data` has just been written at `offset`."""
        if offset == self._known:
            self._hash.update(data)
            self._known += len(data)
        elif offset < self._known:  # what was known is not so any more
            self.__init__()  # type: ignore[misc]

    def of(self, descriptor: int, size: int) -> bytes:
        """Return the digest of the file, which is `size` long."""
        self._known = _feed(self._hash, descriptor, self._known, size)
        return self._hash.digest()


def open_expected(root: Root, path: bytes, expected: Stamp | None) -> tuple[int, Stamp]:
    """Open a file that has this stamp (None: any); `ChangedError` if there is something else, or nothing."""
    try:
        try:
            descriptor, found = root.file(path)
        except NotAFileError as error:
            with root.place(path) as place:
                raise ChangedError(look(place)) from error
    except OSError as error:
        if error.errno in NOTHING_THERE:
            raise ChangedError(None) from error
        raise
    stamp = stamp_of(found)
    if expected is not None and stamp != expected:
        os.close(descriptor)
        raise ChangedError(stamp)
    return descriptor, stamp


def require_unchanged(descriptor: int, stamp: Stamp) -> None:
    """`ChangedError` if an open file is not what it was."""
    now = stamp_of(os.fstat(descriptor))
    if now != stamp:
        raise ChangedError(now)


def require_there(place: Place, temporary: bytes, descriptor: int) -> None:
    """`FileNotFoundError` unless the temporary name is that of the open file: else the directory is another by now."""
    found = confined.look(place.directory, temporary)
    if found is None or not os.path.samestat(found, os.fstat(descriptor)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def sync_file(descriptor: int) -> None:
    """Have the content of an open file on the disk."""
    if sys.platform == "linux":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def after(descriptor: int, new: Stamp) -> Stamp:
    """Return the stamp of what was just put there; one that nothing has if somebody has written into it since."""
    now = stamp_of(os.fstat(descriptor))
    return now if now._replace(ctime=new.ctime) == new else now._replace(ctime=0)


def write(descriptor: int, data: bytes, offset: int = 0) -> None:
    """Write all of it."""
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:] if done else data, offset + done)
