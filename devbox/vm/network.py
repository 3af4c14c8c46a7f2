"""A network for a machine: out to everywhere but the loopback of this host, where its user's own services are.

QEMU's own cannot do without the loopback, so the machine's wire ends in `passt`, a program of its own that confines
itself and ends with the machine.
"""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from devbox.process import Processes
from devbox.vm.qemu_args import ADDRESS, GATEWAY, NAME_SERVER

_PROGRAM: Final = "passt"
_SSH: Final = 22
_READY: Final = 10.0  # seconds until it is


def lacking(processes: Processes) -> str | None:
    """Return what its user has to know of a machine on this host as it is; None if there is nothing."""
    if processes.which(_PROGRAM):
        return None
    return "passt is not installed, so what runs in the machine can reach what listens on 127.0.0.1 of this host"


@contextlib.contextmanager
def wired(processes: Processes, *, sshd: int = 0) -> Iterator[int | None]:
    """Yield the descriptor of a wire that QEMU is to inherit; None where there is no passt, and QEMU has to do.

    `sshd`: see `MachineSpec`. passt gets ready meanwhile: `CommandFailedError` with its own words at the end of the
    block if it cannot run. If nobody has inherited the wire, it ends.
    """
    program = processes.which(_PROGRAM)
    if program is None:
        yield None
        return
    ours, theirs = socket.socketpair()
    wire = theirs.fileno()
    with ours, theirs, ThreadPoolExecutor(1) as meanwhile:  # it goes on in the background once it is ready
        ready = meanwhile.submit(processes.run, passt_argv(program, wire, sshd=sshd), inherit=(wire,), timeout=_READY)
        yield ours.fileno()
        ready.result()


def passt_argv(program: str, wire: int, *, sshd: int = 0) -> tuple[str, ...]:
    """Return the command that is the network at the other end of a machine's wire, and ends with the machine.

    What the machine's gateway would lead to, the loopback of this host, is not there, and nothing leads in, but for the
    port `sshd`, if it is one (see `MachineSpec`).
    """
    inside = f"127.0.0.1/{sshd}:{_SSH}" if sshd else "none"
    return (
        *(program, "--quiet", "--fd", str(wire), "--ipv4-only", "--no-map-gw"),
        *("--address", ADDRESS.partition("/")[0], "--netmask", ADDRESS.partition("/")[2]),
        *("--gateway", GATEWAY, "--dns-forward", NAME_SERVER),
        *("--tcp-ports", inside, "--udp-ports", "none"),
    )
