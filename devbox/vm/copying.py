"""Large files: copied, known again by a digest, and had on the disk.

A copy shares what it holds with the original where the file system can do that (Btrfs, XFS); elsewhere what is no hole
is read and written.
"""

import errno
import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_CLONE: Final = 0x40049409  # Linux: FICLONE
_PIECE: Final = 1 << 20


def copy(source: Path, target: Path) -> None:
    """Make the new file `target` a copy of `source`, mode 0600; `OSError` if that cannot be, and then there is none."""
    with opened(source, os.O_RDONLY) as taken, opened(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as made:
        try:
            if not _cloned(taken, made):
                _copy(taken, made)
        except BaseException:
            target.unlink()
            raise


def link(source: Path, target: Path) -> None:
    """Let the new name `target` be the file `source`, to be read only; a copy where a file can have but one name."""
    try:
        target.hardlink_to(source)
    except OSError:
        copy(source, target)


def digest(path: Path) -> str:
    """Return the BLAKE2b digest (64 hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def to_disk(path: Path) -> None:
    """Return when a file, or the names in a directory, are on the disk."""
    with opened(path, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Give the descriptor of a file that is no link; a new one is this user's alone."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _cloned(source: int, target: int) -> bool:
    if sys.platform == "linux":
        with suppress(OSError):  # this file system cannot
            fcntl.ioctl(target, _CLONE, source)
            return True
    return False


def _copy(source: int, target: int) -> None:
    size = os.fstat(source).st_size
    for begin, end in _data(source, size):
        at = begin
        while at < end:
            piece = os.pread(source, min(_PIECE, end - at), at)
            if not piece:
                break
            _write(target, piece, at)
            at += len(piece)
    os.ftruncate(target, size)


def _write(target: int, piece: bytes, at: int) -> None:
    left = memoryview(piece)
    while left:
        done = os.pwrite(target, left, at)
        left, at = left[done:], at + done


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where something is that is no hole: begin and end."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                return
            raise
        at = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, at
