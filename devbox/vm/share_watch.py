"""Keep what a share's daemon says, and end the QEMU that has lost it: a program of its own, reading stdin to its end.

What runs inside waits without end for files that nobody answers for, and cannot even be killed. Lean.
"""

import os
import signal
import socket
import sys
from contextlib import suppress

from devbox.vm import ring
from devbox.vm.peer import process_of

_LIMIT = 16 * 1024  # bytes of what it says, twice
_PATIENCE = 5.0  # seconds for QEMU to be asked who it is


def watch(log: str, control: str, stamp: str, own: str) -> None:
    """Keep stdin in `log`; at its end kill who listens at `control`, if the file `stamp` still begins with `own`.

    That file is written anew before another QEMU starts. So one that was found before it is looked at is ours.
    """
    ring.keep(0, log, _LIMIT)
    with suppress(OSError):
        pid = _listener(control)
        handle = os.pidfd_open(pid)
        if _listener(control) != pid:
            return  # it has ended, and what has its number now is somebody else
        with open(stamp, encoding="ascii") as file:  # noqa: PTH123 (pathlib takes longer than all of this)
            is_ours = file.readline().strip() == own
        if is_ours:
            signal.pidfd_send_signal(handle, signal.SIGKILL)


def _listener(control: str) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(_PATIENCE)
        asked.connect(control)
        return process_of(asked) or 0


def main() -> None:
    """Be the program; its arguments are those of `watch`."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    watch(*sys.argv[1:5])
