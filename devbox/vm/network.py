"""A network for a machine: out to everywhere but the loopback of this host, where its user's own services are.

QEMU's own cannot do without the loopback, so the machine's wire ends in `passt`, a program of its own that confines
itself and ends with the machine.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

from devbox.process import Processes
from devbox.vm.qemu_args import passt_argv

_PROGRAM: Final = "passt"
_READY: Final = 10.0  # seconds until it is


def lacking(processes: Processes) -> str | None:
    """Return what its user has to know of a machine on this host as it is; None if there is nothing."""
    if processes.which(_PROGRAM):
        return None
    return "passt is not installed, so what runs in the machine can reach what listens on 127.0.0.1 of this host"


@contextlib.contextmanager
def wired(processes: Processes, *, sshd: int = 0) -> Iterator[int | None]:
    """Yield the descriptor of a wire that QEMU is to inherit; None where there is no passt, and QEMU has to do.

    `sshd`: see `MachineSpec`.
    `CommandFailedError` with passt's own words if it cannot run. If nobody has inherited the wire, it ends.
    """
    program = processes.which(_PROGRAM)
    if program is None:
        yield None
        return
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:  # it goes on in the background once it is ready
            wire = theirs.fileno()
            processes.run(passt_argv(program, wire, sshd=sshd), inherit=(wire,), timeout=_READY)
        yield ours.fileno()
