"""One directory, one SyncSession: whoever syncs a directory holds a lock on its path, and no path inside another's."""

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import SyncError

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_GATE: Final = "gate"  # held while claims are compared
_LONGEST: Final = 8192


class Claim:
    """A directory that is this process's to sync, until `release`. `SyncError` if it cannot be had."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        _refuse_own_state(self._root)
        directory = Path(paths.private_directory(paths.sync_claims()))
        gate = os.open(directory / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            self._refuse_taken(directory)
            self._file = directory / hashlib.sha256(os.fsencode(self._root)).hexdigest()[:16]
            self._held = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._held, 0)
            os.write(self._held, os.fsencode(f"{self._root}\n{os.getpid()}\n{_boot()}\n"))
        finally:
            os.close(gate)

    def _refuse_taken(self, directory: Path) -> None:
        for file in directory.iterdir():
            if file.name == _GATE:
                continue
            holder = _holder(file)
            if holder is None:
                continue
            root, pid = holder
            if _within(self._root, root) or _within(root, self._root):
                raise SyncError(
                    f"cannot sync {self._root}: process {pid} syncs {'it' if root == self._root else root} already",
                    hint="end that one (devbox halt), or sync directories that do not contain each other",
                )

    def release(self) -> None:
        """Give the directory back."""
        with suppress(FileNotFoundError):
            self._file.unlink()
        os.close(self._held)


def _holder(file: Path) -> tuple[str, str] | None:
    """Return the directory and the process of whoever holds this claim; a claim that nobody holds is removed."""
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        root, pid, *_ = [*os.fsdecode(os.pread(descriptor, _LONGEST, 0)).rsplit("\n", 3), "", ""]
        return root, pid
    else:
        file.unlink()
        return None
    finally:
        os.close(descriptor)


def _refuse_own_state(root: str) -> None:
    state = os.path.realpath(paths.state_root())
    if _within(root, state) or _within(state, root):
        raise SyncError(
            f"cannot sync {root}: what devbox remembers lies in {state}",
            hint="choose a project directory that does not contain it, or set XDG_STATE_HOME",
        )


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
