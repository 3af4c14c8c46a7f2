"""What devbox remembers of a Workspace on this host: its lock and its Record. A cache; labels are the truth."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devbox import paths, record
from devbox.errors import StateError
from devbox.faults import fault
from devbox.reporter import Reporter
from devbox.values import printable
from devbox.workspace.context import Host, Workspace

_HOLDER_MAX = 400  # bytes of a lock file that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state directory of one Workspace; `directory` is None where nothing can be written.

    `lock`: the descriptor by which the Workspace is held.
    """

    directory: Path | None
    workspace: Workspace
    reporter: Reporter
    lock: int = -1

    def read(self) -> dict[str, str] | None:
        """Return the Record; None if there is none. One that cannot be understood is set aside.

        Raises `StateError` for one of a newer devbox, which must not be written over.
        """
        path = paths.record_file(self.workspace.hash)
        try:
            known = record.read(path)
        except record.RecordFromTheFuture as error:
            raise StateError(
                f"{path} was written by a newer devbox (schema {error}, this one knows {record.SCHEMA})",
                hint="upgrade devbox, or remove that file to let this version make the environment anew",
            ) from error
        if known is None and self.directory is not None and os.path.lexists(path):
            self._set_aside(Path(path))
        return known

    def _set_aside(self, path: Path) -> None:
        number = 1
        while os.path.lexists(f"{path}.corrupt-{number}"):
            number += 1
        with contextlib.suppress(OSError):
            fault("set record aside")
            path.rename(f"{path}.corrupt-{number}")
            fault("record set aside")

    def write(self, entries: dict[str, str]) -> None:
        """Remember `entries`; does nothing without a directory, and where the record says it already.

        Where it cannot be written (a full disk) that is said, and nothing is remembered.
        """
        if self.directory is None or record.read(paths.record_file(self.workspace.hash)) == _complete(entries):
            return
        for leftover in self.directory.glob("record.[0-9]*"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        fault("write record")
        path = Path(paths.record_file(self.workspace.hash))
        try:
            record.write(str(path), entries)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # what is there is of before
            self.reporter.note(_forgetful(str(path), f"cannot be written: {(error.strerror or str(error)).lower()}"))
        fault("record written")

    def forget(self) -> None:
        """Remove the Record and what lies beside it; the lock's file stays, since somebody may be waiting for it."""
        if self.directory is None:
            return
        fault("remove record")
        for path in (
            self.directory / "record",
            Path(paths.trust_store(self.workspace.hash)),
            *self.directory.glob("record.[0-9]*"),
        ):
            path.unlink(missing_ok=True)
        fault("record removed")


def _complete(entries: dict[str, str]) -> dict[str, str]:
    return {field: entries.get(field, "") for field in record.FIELDS}


@contextmanager
def locked(host: Host, workspace: Workspace, command: str, *, held: int | None = None) -> Iterator[State]:
    """Hold the Workspace for `command` ("devbox up"); waits for whoever holds it, and says for whom.

    `held`: the descriptor (`State.lock`) by which whoever started this process holds it already.
    """
    directory = _directory(host, workspace)
    descriptor = _open_lock(fallback_directory(host) if directory is None else None, workspace)
    if held is not None and _is_same(held, descriptor):
        descriptor = os.dup2(held, descriptor, inheritable=False)
    try:
        _acquire(host, descriptor)
        _sign(descriptor, command)
        yield State(directory=directory, workspace=workspace, reporter=host.reporter, lock=descriptor)
    finally:
        os.close(descriptor)  # which gives the lock back, as the end of this process would


def _is_same(held: int, descriptor: int) -> bool:
    try:
        return os.path.sameopenfile(held, descriptor)
    except OSError:
        return False


def is_held(host: Host, path_hash: str) -> bool | None:
    """Whether a mutating command is going on in the Workspace with this hash; None if it was never locked from here.

    None is not "no": the same user with another state directory (another HOME, sudo) locks elsewhere.
    """
    held: bool | None = None
    for directory in (Path(paths.workspace_state(path_hash)), *_fallback_directories(host)):
        name = "lock" if directory.name == path_hash else f"{path_hash}.lock"
        try:
            descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        held = False
    return held


def _directory(host: Host, workspace: Workspace) -> Path | None:
    """Return the state directory, made if need be; None, said once, if it cannot be written to."""
    path = workspace.state_directory
    try:
        directory = Path(paths.private_directory(path))
        if stat.S_IMODE(directory.stat().st_mode) & 0o077:
            directory.chmod(0o700)
        if os.access(directory, os.W_OK | os.X_OK):
            return directory
        why = "is not writable"
    except OSError as error:
        why = f"cannot be made: {(error.strerror or str(error)).lower()}"
    host.reporter.note(_forgetful(path, why))
    return None


def _forgetful(path: str, why: str) -> str:
    return f"{printable(path)} {why}; devbox goes on without remembering anything"


def _fallback_directories(host: Host) -> list[Path]:
    runtime = host.environ.get("XDG_RUNTIME_DIR", "")
    found = [Path(runtime) / "devbox"] if runtime.startswith("/") else []
    return [*found, Path(f"/tmp/devbox-{host.uid}")]  # the lock must be where the same user's next command looks


def fallback_directory(host: Host) -> Path:
    """Return a directory for what cannot lie elsewhere; it must be this user's, since others can write to /tmp."""
    for directory in _fallback_directories(host):
        try:
            with contextlib.suppress(FileExistsError):
                directory.mkdir(mode=0o700)
            status = directory.lstat()
        except OSError:
            continue
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != host.uid:
            raise StateError(
                f"{directory} belongs to somebody else", hint=f"look at it, then remove it: rm -r {directory}"
            )
        directory.chmod(0o700)
        return directory
    raise StateError(
        "there is no directory in which devbox can hold a lock", hint="set XDG_STATE_HOME to a writable directory"
    )


def _open_lock(fallback: Path | None, workspace: Workspace) -> int:
    """Open the lock of the project, whichever of its machines this is: they share devbox.lock and the directory."""
    group = workspace.project_hash
    path = Path(paths.lock_file(group)) if fallback is None else fallback / f"{group}.lock"
    try:
        paths.private_directory(str(path.parent))
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {(error.strerror or str(error)).lower()}") from error


def _acquire(host: Host, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise StateError(f"the file system has no locks: {error.strerror}") from error
        holder = os.pread(descriptor, _HOLDER_MAX, 0).decode("utf-8", "replace").strip()
        host.reporter.note(f"waiting for {printable(holder) or 'another devbox command'} in this project")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _sign(descriptor: int, command: str) -> None:
    """Leave word of who holds the lock; it is held just as well if there is no room for that."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{command} (pid {os.getpid()})\n".encode(), 0)
