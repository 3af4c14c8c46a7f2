"""Which ports of the host an Instance gets: the wanted ones, or the next that are free."""

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

from devbox.engine.base import PortBinding
from devbox.errors import PortTakenError
from devbox.runtimes.base import PortSpec

SPAN: Final = 100  # how many ports from the wanted one on are tried
Probe = Callable[[str, int, str], int | None]  # address, port (0: any), protocol -> the port if it can be had


def choose(ports: Sequence[PortSpec], probe: Probe) -> tuple[PortBinding, ...]:
    """Return a binding for each port; the wanted port, else the next free one within `SPAN`.

    Raises `PortTakenError` if there is none. Two of `ports` never get the same one.
    """
    given: set[tuple[int, str]] = set()
    bindings = []
    for port in ports:
        host = _first_free(port, given, probe)
        given.add((host, port.protocol))
        bindings.append(PortBinding(guest=port.guest, host=host, address=port.address, protocol=port.protocol))
    return tuple(bindings)


def _first_free(port: PortSpec, given: set[tuple[int, str]], probe: Probe) -> int:
    last = min(port.host + SPAN, 65536)
    wanted = range(port.host, last) if port.host else [0] * SPAN
    for candidate in wanted:
        if candidate and (candidate, port.protocol) in given:
            continue
        found = probe(port.address, candidate, port.protocol)
        if found is not None and (found, port.protocol) not in given:
            return found
    raise PortTakenError(
        f"port {port.name!r}: all ports of this host from {port.host} to {last - 1} are taken",
        hint=f"give ports.{port.name} another host port in devbox.toml, or 0 for any",
    )


def probe_host(address: str, port: int, protocol: str) -> int | None:
    """Return the port if nobody on this host listens on it (any free one for 0), else None.

    What cannot be tried here (a port below 1024, an address of another family) is left to the engine to refuse.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as trial:
        if protocol == "tcp":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT can be had
        try:
            trial.bind((address, port))
        except OSError as error:
            return None if error.errno == errno.EADDRINUSE else port
        return int(trial.getsockname()[1])
