"""Where files are laid out before they go into a file system: in memory if there is plenty, which takes a tenth."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
_PLENTY = 4  # times the size; other programs want memory too
_NAME = "devbox-{uid}-{pid}-"


@contextmanager
def scratch(parent: Path, *, size: int = 0) -> Iterator[Path]:
    """Give an empty directory that is this user's alone, gone afterwards.

    It lies in `parent`, or in memory if there is room for `size` bytes several times over.
    """
    in_memory = size > 0 and _room() > _PLENTY * size
    if in_memory:
        _sweep()
    prefix = _NAME.format(uid=os.getuid(), pid=os.getpid()) if in_memory else "making-"
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if in_memory else parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _room() -> int:
    """Return how many bytes can be kept in memory; 0 where that is not known or not possible."""
    try:
        place = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
    return min(free, place.f_bavail * place.f_frsize) if os.access(MEMORY, os.W_OK) else 0


def _sweep() -> None:
    """Remove what processes of this user that were killed have left in memory."""
    before = _NAME.format(uid=os.getuid(), pid="")[:-1]
    for left in MEMORY.glob(f"{before}*-*"):
        pid = left.name.removeprefix(before).partition("-")[0]
        if pid.isdigit() and not _lives(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True
