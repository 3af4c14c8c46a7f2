"""Which process it was: a number alone is somebody else's sooner or later, a number with its start is nobody else's."""

import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox.process import Processes

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STARTED: Final = 19  # the field in /proc/PID/stat, counted from the state that follows the name
_PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A process, by its pid, when it was started, and in which boot of this host."""

    pid: int
    started: str
    boot: str


class Marks:
    """The processes of this host."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def started(self, pid: int) -> Mark:
        """Return the mark of a child of this process that may have ended, and was not waited for."""
        _, started = self._look(pid) or (True, "")
        return Mark(pid=pid, started=started, boot=boot_id())

    def of(self, pid: int) -> Mark | None:
        """Return the mark of the process that has this pid now; None if none has, or it has ended."""
        match self._look(pid):
            case (False, started):
                return Mark(pid=pid, started=started, boot=boot_id())
            case _:
                return None

    def started_with(self, *words: str) -> Mark | None:
        """Return the mark of a process that has `words`, one after the other, in its command.

        None if none has, or if this system does not show commands as files.
        """
        wanted = b"\0".join(word.encode() for word in ("", *words, ""))
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                if wanted in b"\0" + (process / "cmdline").read_bytes() and (mark := self.of(int(process.name))):
                    return mark
        return None

    def lives(self, mark: Mark) -> bool:
        """Tell whether that very process still runs."""
        return self.of(mark.pid) == mark

    def handle(self, mark: Mark) -> int | None:
        """Return a pidfd of that very process, to be closed; None if it has ended, or the system has none."""
        if not hasattr(os, "pidfd_open"):
            return None
        try:
            handle = os.pidfd_open(mark.pid)
        except OSError:
            return None
        if self.lives(mark):  # asked after the number was bound
            return handle
        os.close(handle)
        return None

    def kill(self, mark: Mark) -> None:
        """End that very process at once; a no-op if it has ended."""
        handle = self.handle(mark)
        if handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        elif self.lives(mark):
            with suppress(ProcessLookupError):
                os.kill(mark.pid, signal.SIGKILL)

    def reap(self, mark: Mark) -> int | None:
        """Return the exit code (128+n for a signal) of that very process if it was a child of this one and has ended.

        None if it was none, or has been asked about before.
        """
        if self._look(mark.pid) != (True, mark.started):
            return None
        with suppress(ChildProcessError):
            found, status = os.waitpid(mark.pid, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status)
            return (code if code >= 0 else 128 - code) if found else None
        return None

    def ended(self, mark: Mark, within: float) -> bool:
        """Wait at most `within` seconds for its end, and tell whether it has come."""
        handle = self.handle(mark)
        if handle is not None:
            select.select([handle], [], [], within)
            os.close(handle)
            return not self.lives(mark)
        until = time.monotonic() + within
        while self.lives(mark) and time.monotonic() < until:
            time.sleep(_PAUSE)
        return not self.lives(mark)

    def _look(self, pid: int) -> tuple[bool, str] | None:
        """Return whether the process with this pid has ended and waits to be reaped, and when it was started."""
        if not _BOOT.exists():  # no Linux
            # Each with its own -o: what follows a = is a heading, commas and all. What it says depends on where it is.
            argv = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
            done = self._processes.run(argv, env={"LC_ALL": "C", "TZ": "UTC0"}, check=False)
            state, _, started = done.stdout.strip().partition(" ")
            return (state.startswith("Z"), started.strip()) if started else None
        try:
            said = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = said[said.rindex(b")") + 2 :].split()  # its name may have anything in it
        return fields[0] in (b"Z", b"X"), fields[_STARTED].decode("ascii")


def boot_id() -> str:
    """Return what this boot of the host is known by; empty where the system has no such thing."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
