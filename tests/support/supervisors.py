"""The processes that relay ports: which there are, and that none is left."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from devbox.supervisor.client import PROGRAM

MARK = "TESTS_OF_DEVBOX"  # whose value in an environment is the run of the tests that started the process


def processes(path_hash: str = "", *, of_run: str = "") -> list[int]:
    """Return the pids of the Supervisors of one Workspace, or of those that a run of the tests has started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0") if of_run else []
        except OSError:
            continue  # it has ended, or is somebody else's
        if len(words) < 5 or not words[3].endswith(b"/supervisor/" + PROGRAM.name.encode()):
            continue
        of_ours = not of_run or any(one.endswith(b"=" + of_run.encode()) for one in variables)
        if path_hash.encode() in words[4] and of_ours:
            found.append(int(process.name))
    return found


def gone(path_hash: str, *, patience: float = 20.0) -> bool:
    """Whether all Supervisors of a Workspace end within `patience` seconds."""
    return _within(patience, lambda: not processes(path_hash))


def killed(pid: int, *, patience: float = 20.0) -> bool:
    """Kill a Supervisor; return whether its sockets are closed within `patience` seconds.

    Its command line is gone before they are: the kernel takes a process's memory first and its files later.
    """
    os.kill(pid, signal.SIGKILL)
    return _within(patience, lambda: not _lives(pid))


def _within(patience: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def end_all(of_run: str) -> list[str]:
    """End the Supervisors that a run of the tests has left, each by its pid; return what they were."""
    left = processes(of_run=of_run)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return [f"supervisor, pid {pid}" for pid in left]
