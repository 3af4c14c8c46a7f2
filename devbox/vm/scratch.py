"""Where files are laid out before they go into a file system: in memory if there is plenty, which takes a tenth."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
_PLENTY = 4  # times the size; other programs want memory too
_LEAST = 4096  # bytes that a file is taken to have: as many names are needed
_NAME = "devbox-{uid}-"
_HERE = "making-"
_TRIES = 5  # where no lock can be had at all, as on some network file systems, there will be none later


@contextmanager
def scratch(parent: Path, *, size: int = 0) -> Iterator[Path]:
    """Give an empty directory that is this user's alone, gone afterwards.

    It lies in `parent`, or in memory if there is room for `size` bytes several times over.
    """
    place, prefix = parent, _HERE
    if size > 0 and _room() > _PLENTY * size:
        place, prefix = MEMORY, _name()
        _sweep(place, prefix)
    with _held(place, prefix, parent) as path:
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def clear(parent: Path) -> None:
    """Remove what processes of this user that were killed have left in `parent` and in memory.

    That is all of `making-*` which nobody holds the lock of.
    """
    _sweep(parent, _HERE)
    _sweep(MEMORY, _name())


def _made(prefix: str, parent: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


@contextmanager
def _held(place: Path, prefix: str, parent: Path) -> Iterator[Path]:
    """Give a new directory in `place` with its lock, by which all others know that it is in use (see `_sweep`).

    One that cannot be locked is not left; after a few of them it is one in `parent` without.
    """
    for _ in range(_TRIES):
        path = _made(prefix, place)
        with _locked(path) as is_ours:
            if is_ours:
                yield path
                return
        with contextlib.suppress(OSError):  # one who sweeps was faster than the lock, and removes it
            path.rmdir()
    yield _made(_HERE, parent)


def _name() -> str:
    return _NAME.format(uid=os.getuid())


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a directory, if nobody else does and it is still there and this user's."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield _taken(path, directory)
    finally:
        os.close(directory)


def _taken(path: Path, directory: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        facts = os.fstat(directory)
        return facts.st_uid == os.geteuid() and os.path.samestat(facts, path.stat(follow_symlinks=False))
    return False


def _room() -> int:
    """Return how many bytes can be kept in memory; 0 where that is not known or not possible."""
    try:
        place = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
    names = place.f_favail * _LEAST if place.f_files else free  # some file systems count no names
    return min(free, place.f_bavail * place.f_frsize, names) if os.access(MEMORY, os.W_OK) else 0


def _sweep(parent: Path, prefix: str) -> None:
    """Remove what processes of this user that were killed have left in `parent`.

    By a lock and not by a process's number: others may share the memory and have numbers of their own.
    """
    for left in parent.glob(f"{prefix}*"):
        with _locked(left) as is_ours:
            if is_ours:
                shutil.rmtree(left, ignore_errors=True)
