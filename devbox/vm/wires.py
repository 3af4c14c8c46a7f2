"""The owner of wires: starts the process of one, and ends it."""

import contextlib
import fcntl
import os
import sys
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.process import Processes
from devbox.vm import lines
from devbox.vm.line_process import LOCK, stamp

_PACKAGES: Final = str(Path(__file__).parents[2])
_BEGIN: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from devbox.vm.wire_process import main; sys.exit(main())"
)
_PATIENCE: Final = 20.0  # seconds for a process to start


def ensure(port: Path, place: Path, processes: Processes) -> None:
    """Have the machine whose wire ends at QEMU's socket `port` on the network at `place`; as it is, if it is there.

    The directory of `place` is made, for this user alone. `CommandFailedError` if QEMU does not listen at `port`.
    """
    paths.private_directory(str(place.parent))
    if not _lives(port, place):
        processes.run([sys.executable, "-I", "-S", "-c", _BEGIN, _PACKAGES, str(port), str(place)], timeout=_PATIENCE)


def end(place: Path) -> None:
    """Have the machine off the network, and leave nothing of it there; harmless if it is not on it."""
    lines.end(place)
    tidy(place)


def tidy(place: Path) -> None:
    """Leave nothing of a machine that has ended, unless one that took its place is on the network there."""
    lock = Path(f"{place}{LOCK}")
    if not lines.held(lock):
        for left in (place, lock):
            left.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are on it, or nobody ever was
        place.parent.rmdir()


def _lives(port: Path, place: Path) -> bool:
    """Whether a process holds `place` for this very QEMU."""
    try:
        lock = os.open(f"{place}{LOCK}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError):
            return os.pread(lock, 256, 0).decode().partition(" ")[2] == stamp(str(port)) and place.exists()
    finally:
        os.close(lock)
    return False
