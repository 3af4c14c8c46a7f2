"""A directory of this host that a machine sees itself, and not a copy of it: the daemon that stands in between.

The daemon has the rights of the directory's user and no other, sees that directory alone, and serves one connection,
which is made here: QEMU gets its end as a descriptor, so there is no socket that anybody else could connect to. It ends
with QEMU. The other way round `share_watch` sees to it.
"""

import contextlib
import os
import resource
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import CommandFailedError, MachineError
from devbox.process import Account, Processes
from devbox.record import write_text
from devbox.values import printable
from devbox.vm.coreless import without_core
from devbox.vm.mark import Mark, Marks
from devbox.vm.share_args import Daemon, daemon_argv, room_argv
from devbox.vm.sockets import bound, connected

TRADE_OFF: Final = (
    "edits are seen at once on both sides and nothing is copied, but no watcher inside hears of edits made here, "
    "reading many files takes several times as long, a new machine boots, and none is saved"
)
_NAME: Final = "virtiofsd"
_PLACES: Final = ("/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/lib/qemu/virtiofsd")  # it is on no PATH
_C: Final = "FUSE kernel interface"  # what only the one in C says with its version
_MOST_FILES: Final = 1_000_000
_PATIENCE: Final = 5.0  # seconds for it to end, or to say who it is
_LATE: Final = 1.0  # seconds in which what it said has been written
_PAUSE: Final = 0.02
_SHOWN: Final = 10  # lines of what it said, in an error
_PACKAGES: Final = str(Path(__file__).parents[2])
_WATCH: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from devbox.vm.share_watch import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Why this host has no live share; `package` mends it (Debian's name), empty if none does."""

    why: str
    package: str = ""


def find(processes: Processes) -> Daemon | None:
    """Return the daemon of this host; None if there is none."""
    on_path = processes.which(_NAME)
    for program in (*([on_path] if on_path else []), *_PLACES):
        if os.access(program, os.X_OK):
            with contextlib.suppress(CommandFailedError):
                said = processes.run([program, "--version"], timeout=_PATIENCE)  # one that cannot say it is none
                return Daemon(program=program, is_rust=_C not in said.stdout + said.stderr)
    return None


def is_there(processes: Processes) -> bool:
    """Tell at once whether this host seems to have one; `lacking` tries it."""
    places = (processes.which(_NAME), *_PLACES)
    return sys.platform == "linux" and any(place and os.access(place, os.X_OK) for place in places)


def lacking(processes: Processes, shared: str | None = None) -> Lack | None:
    """Return what this host lacks for a live share; None if it has all. It costs about 20 ms.

    `shared`: the directory, which the owner of it is to share: by root it is tried whether that user can.
    """
    if sys.platform != "linux":
        return Lack(why="it takes Linux")
    daemon = find(processes)
    if daemon is None:
        return Lack(why="virtiofsd is not installed", package=_NAME)
    try:
        os.close(os.memfd_create(_NAME, os.MFD_CLOEXEC))
    except OSError as error:
        return Lack(why=f"there is no shared memory here: {(error.strerror or str(error)).lower()}")
    return _lacks_room(processes, daemon, _owner(shared))


def _owner(shared: str | None) -> tuple[int, int]:
    """Return the user and group that the daemon is: the directory's where devbox can be anybody, else ours."""
    own = os.geteuid(), os.getegid()
    if own[0] or shared is None:
        return own
    try:
        found = Path(shared).stat()
    except OSError:  # whoever starts it says so
        return own
    return found.st_uid, found.st_gid


def _lacks_room(processes: Processes, daemon: Daemon, owner: tuple[int, int]) -> Lack | None:
    """Return why no user namespace can be had, which the daemon confines itself by."""
    uid, gid = owner
    grouped = _grouped(daemon, os.geteuid())
    if (grouped or (daemon.is_rust and uid)) and not processes.which("newgidmap"):
        return Lack(why="newuidmap and newgidmap are not installed", package="uidmap")
    unshare = processes.which("unshare")
    if unshare is None:
        return Lack(why="unshare is not installed", package="util-linux")
    room = room_argv(unshare, uid=uid, gid=gid, grouped=grouped)
    if daemon.is_rust and uid:
        room = (unshare, "--user")  # it makes its own, in which it is nobody until it has been mapped
    if uid != os.geteuid():
        setpriv = processes.which("setpriv")
        if setpriv is None:
            return None  # nobody can try it; whoever starts it is told
        room = (setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--", *room)
    try:
        processes.run([*room, "true"], timeout=_PATIENCE, cwd=Path("/"))
    except CommandFailedError as error:
        said = (error.detail or error.message).strip().splitlines()[-1]
        return Lack(why=f"there is no user namespace to be had: {printable(said)}")
    return None


def require(processes: Processes, shared: str | None = None) -> Daemon:
    """Return the daemon; `MachineError`, with what to install, if this host has no live share.

    `shared`: see `lacking`.
    """
    lack = lacking(processes, shared)
    if lack is not None:
        install = f"apt-get install --no-install-recommends {lack.package}, or " if lack.package else ""
        raise MachineError(
            f"the project cannot be shared live with a machine: {lack.why}",
            hint=f'{install}sync it: [sync] mode = "two-way" in devbox.toml',
        )
    daemon = find(processes)
    assert daemon is not None, "nothing is lacking"
    return daemon


class LiveShare:
    """The share of the machine in `directory`, if it has one."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        self._directory = directory
        self._processes = processes
        self._marks = Marks(processes)
        self._stamp = directory / paths.MACHINE_SHARE
        self._log = directory / paths.MACHINE_SHARE_LOG
        self._end = directory / f"{paths.MACHINE_SHARE_LOG}.end"
        self._door = directory / paths.MACHINE_SHARE_DOOR

    @contextlib.contextmanager
    def begun(self, shared: str) -> Iterator[int]:
        """Start a daemon for the directory `shared`, and give the descriptor that QEMU is to inherit until the end.

        If nobody has inherited it, the daemon ends. `MachineError` if there is none.
        """
        if not Path(shared).is_dir():
            raise MachineError(f"{shared} cannot be shared with the machine: it is no directory, or is gone")
        daemon = require(self._processes, shared)
        account, before = self._who(daemon, shared)
        own = uuid.uuid4().hex
        write_text(str(self._stamp), f"{own}\n")
        for path in (self._log, self._end):
            path.unlink(missing_ok=True)
        self._door.unlink(missing_ok=True)
        with bound(self._door) as listening:
            listening.listen(1)
            ours = connected(self._door, _PATIENCE)
            self._door.unlink()
            with ours:
                number = listening.fileno()
                argv = daemon_argv(daemon, socket=number, directory=shared, files=_files())
                pid = self._processes.start_into(
                    self._watcher(own),
                    without_core((*before, *argv)),
                    cwd=self._directory,
                    inherit=(number,),
                    account=account,
                )
                listening.close()
                mark = self._marks.started(pid)
                write_text(str(self._stamp), "\n".join((own, str(mark.pid), mark.started, mark.boot, "")))
                yield ours.fileno()

    def is_lost(self) -> bool:
        """Tell whether a machine that has a share has nobody any more who answers for it."""
        mark = self._read()
        return mark is not None and not self._marks.lives(mark)

    def require(self) -> None:
        """Raise `MachineError`, with what the daemon said, if it has ended."""
        if self.is_lost():
            raise MachineError(
                "the project cannot be shared live with the machine: virtiofsd has ended", detail=self.said() or None
            )

    def end(self) -> None:
        """Leave nothing of it, for a machine whose QEMU has ended; harmless if there is none."""
        mark = self._read()
        if mark is not None and not self._marks.ended(mark, _PATIENCE):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(mark.pid, signal.SIGKILL)  # it is two processes
            self._marks.ended(mark, _PATIENCE)
        if mark is not None:
            self._marks.reap(mark)
            self._await_all_said()  # nothing is written after that
        for path in (self._stamp, self._log, self._end, self._door):
            path.unlink(missing_ok=True)

    def _await_all_said(self) -> None:
        until = time.monotonic() + _LATE
        while not self._end.exists() and time.monotonic() < until:
            time.sleep(_PAUSE)

    def _who(self, daemon: Daemon, shared: str) -> tuple[Account | None, tuple[str, ...]]:
        """Return whom the daemon is to be, where that is for us to say, and what stands before its command."""
        uid, gid = _owner(shared)
        account = Account(uid=uid, gid=gid) if os.geteuid() == 0 else None
        if daemon.is_rust and uid:
            return account, ()  # it makes its own user namespace
        unshare = self._processes.which("unshare")
        assert unshare is not None, "nothing is lacking"
        return account, room_argv(unshare, uid=uid, gid=gid, grouped=_grouped(daemon, os.geteuid()))

    def _watcher(self, own: str) -> tuple[str, ...]:
        words = (paths.MACHINE_SHARE_LOG, paths.MACHINE_CONTROL, paths.MACHINE_SHARE, own)
        return (sys.executable, "-I", "-S", "-c", _WATCH, _PACKAGES, *words)

    def said(self) -> str:
        """Return the last lines that the daemon said, safe to be shown; empty if there is none."""
        if self.is_lost():
            self._await_all_said()
        with contextlib.suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            return "\n".join(printable(line) for line in lines[-_SHOWN:])
        return ""

    def _read(self) -> Mark | None:
        with contextlib.suppress(OSError, ValueError):
            _, pid, started, boot, _ = self._stamp.read_text(encoding="ascii").split("\n")
            return Mark(pid=int(pid), started=started, boot=boot)
        return None


def _grouped(daemon: Daemon, uid: int) -> bool:
    """Whether it has to leave groups that only a namespace with further groups lets it leave."""
    return bool(uid) and not daemon.is_rust and bool(os.getgroups())


def _files() -> int:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
