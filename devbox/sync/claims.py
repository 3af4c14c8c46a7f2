"""One directory, one SyncSession: whoever syncs a directory holds a lock on its path, and no path inside another's.

Only the machines of one project share its directory, each with a session that has the machine's name.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import SyncError

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_GATE: Final = "gate"  # held while claims are compared
_LONGEST: Final = 8192


class Claim:
    """A directory that is this process's to sync, until `release`. `SyncError` if it cannot be had."""

    def __init__(self, root: str, machine: str = "") -> None:
        self._root = os.path.realpath(root)
        self._machine = machine
        _refuse_own_state(self._root)
        directory = Path(paths.private_directory(paths.sync_claims()))
        with _gate(directory):
            self._refuse_taken(directory)
            self._file = directory / hashlib.sha256(os.fsencode(self._place())).hexdigest()[:16]
            self._held = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._held, 0)
            os.write(self._held, os.fsencode(f"{self._root}\n{self._machine}\n{os.getpid()}\n{_boot()}\n"))

    def _refuse_taken(self, directory: Path) -> None:
        for root, machine, pid in _holders(directory):
            if root == self._root and machine != self._machine:
                continue
            if _within(self._root, root) or _within(root, self._root):
                raise SyncError(
                    f"cannot sync {self._root}: process {pid} syncs {'it' if root == self._root else root} already",
                    hint="end that one (devbox halt), or sync directories that do not contain each other",
                )

    def is_shared(self) -> bool:
        """Whether another machine's session has this directory as well."""
        directory = self._file.parent
        with _gate(directory):
            return any(root == self._root and machine != self._machine for root, machine, _ in _holders(directory))

    def _place(self) -> str:
        return f"{self._root}\0{self._machine}" if self._machine else self._root

    def release(self) -> None:
        """Give the directory back."""
        with suppress(FileNotFoundError):
            self._file.unlink()
        os.close(self._held)


@contextmanager
def _gate(directory: Path) -> Iterator[None]:
    """Within, nobody else makes a claim or looks at one."""
    gate = os.open(directory / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


def _holders(directory: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the claims that are held; to be called within the gate."""
    for file in directory.iterdir():
        if file.name != _GATE and (holder := _holder(file)) is not None:
            yield holder


def _holder(file: Path) -> tuple[str, str, str] | None:
    """Return directory, machine and process of whoever holds this claim; one that nobody holds is removed."""
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        root, machine, pid, *_ = [*os.fsdecode(os.pread(descriptor, _LONGEST, 0)).rsplit("\n", 4), "", "", ""]
        return root, machine, pid
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
