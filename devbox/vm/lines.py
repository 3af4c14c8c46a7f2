"""The owner of lines: starts the process of one, and ends it."""

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbox.process import Processes
from devbox.vm.line_process import LOCK
from devbox.vm.sockets import connected

_PACKAGES: Final = str(Path(__file__).parents[2])
_BEGIN: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from devbox.vm.line_process import main; sys.exit(main())"
)
_PATIENCE: Final = 20.0  # seconds for a process to start
_GENTLE: Final = 3.0  # seconds until SIGKILL
_PAUSE: Final = 0.01


def ensure(port_socket: Path, agent_socket: Path, processes: Processes) -> None:
    """Have a line between the machine's port and the agent's socket; one that is there already will do.

    The socket is there as soon as the machine answers, which this does not wait for: see `listens`.
    `CommandFailedError` if QEMU does not hold the other end of `port_socket`. To be called by one at a time or many.
    """
    if not listens(agent_socket):
        processes.run(argv(port_socket, agent_socket), timeout=_PATIENCE)


def argv(port_socket: Path, agent_socket: Path) -> list[str]:
    """Return the command that starts a line."""
    return [sys.executable, "-I", "-S", "-c", _BEGIN, _PACKAGES, str(port_socket), str(agent_socket)]


def listens(agent_socket: Path) -> bool:
    """Whether the machine answers there; asks nothing of it."""
    try:
        connected(agent_socket, patience=0).close()
    except BlockingIOError:
        return True  # so many wait there that there is no room for one more
    except OSError:
        return False
    return True


def end(agent_socket: Path) -> None:
    """End the line of this socket, and leave nothing of it; harmless if there is none."""
    try:
        lock = os.open(f"{agent_socket}{LOCK}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if _ends(lock, signal.SIGTERM) or _ends(lock, signal.SIGKILL):
            agent_socket.unlink(missing_ok=True)
            os.ftruncate(lock, 0)  # the number may soon be another process's
    finally:
        os.close(lock)


def held(lock: Path) -> bool:
    """Whether a process lives that holds this lock."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _is_free(descriptor)
    finally:
        os.close(descriptor)


def _ends(lock: int, number: signal.Signals) -> bool:
    """Signal the line that holds the lock, and wait for its end; True when nobody holds it."""
    until = time.monotonic() + _GENTLE
    while not _is_free(lock):
        holder = os.pread(lock, 256, 0).split()
        if holder:  # it writes its number a moment after it has the lock
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(holder[0]), number)
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


def _is_free(lock: int) -> bool:
    """Whether nobody holds the lock; if so, it is ours until it is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
