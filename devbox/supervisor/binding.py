"""Which ports of this host are had, and the sockets that hold them. A port counts as free when it could be bound."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from devbox.supervisor.protocol import DENIED, LOOPBACK, REFUSED, TAKEN, Failed, Wanted

SPAN: Final = 100  # how many ports from the wanted one on are tried
_BACKLOG: Final = 1024
_BUFFER: Final = 1 << 20  # bytes of datagrams that wait to be read
_DENIED: Final = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A port of this host and the sockets that listen on it, not blocking."""

    port: int
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        """Give the port back."""
        for one in self.sockets:
            one.close()


def bind(wanted: Wanted) -> Bound | Failed:
    """Have the port that it had the last time, else the wanted one, else the next that is free within `SPAN`.

    On loopback it is had on 127.0.0.1 and, where this host has it, ::1: `localhost` may mean either, and must not
    mean another program's port.
    """
    failure = Failed(name=wanted.name, host=wanted.host, reason=TAKEN, detail="")
    for candidate in _candidates(wanted):
        try:
            return _bound(wanted, candidate)
        except OSError as error:
            if error.errno == errno.EADDRINUSE or candidate == wanted.kept != 0:
                continue
            failure = Failed(name=wanted.name, host=wanted.host, reason=_reason(error), detail=error.strerror or "")
            break
    if failure.reason == DENIED and wanted.otherwise:
        return bind(replace(wanted, host=wanted.otherwise, otherwise=0, kept=0))
    return failure


def _candidates(wanted: Wanted) -> Iterator[int]:
    if wanted.kept:
        yield wanted.kept
    if not wanted.host:
        yield from [0] * SPAN  # each time another one, should the other family's be taken
        return
    yield from (port for port in range(wanted.host, min(wanted.host + SPAN, 65536)) if port != wanted.kept)


def _reason(error: OSError) -> str:
    return DENIED if error.errno in _DENIED else REFUSED


def _bound(wanted: Wanted, port: int) -> Bound:
    with ExitStack() as undo:
        family = socket.AF_INET6 if ":" in wanted.address else socket.AF_INET
        first = undo.enter_context(_listening(family, wanted.address, port, wanted.protocol))
        sockets = [first]
        number = int(first.getsockname()[1])
        if wanted.address == LOOPBACK:
            try:
                sockets.append(undo.enter_context(_listening(socket.AF_INET6, "::1", number, wanted.protocol)))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise
                # This host has no IPv6, or not on its loopback.
        undo.pop_all()
        return Bound(port=number, sockets=tuple(sockets))


def _listening(family: socket.AddressFamily, address: str, port: int, protocol: str) -> socket.socket:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    made = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT can be had
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        made.settimeout(0)
        made.bind((address, port))
        if protocol == "tcp":
            made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
