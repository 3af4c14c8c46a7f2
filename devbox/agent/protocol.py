"""The answers of the agent, typed and validated. Cold; what it says is untrusted (`wire.WireError`).

Text of the guest (`argv`) is as it came: whoever shows it escapes it by `values.printable`.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

from devbox.agent import wire
from devbox.agent.wire import ExecMessage, Fields, WireError

__all__ = ["ExecMessage", "FileState", "GuestSession", "Listener", "parse_listeners", "parse_sessions", "parse_stat"]

_PROTOCOLS: Final = {wire.LISTENER_TCP: "tcp", wire.LISTENER_UDP: "udp"}
_FAMILIES: Final = {4: (socket.AF_INET, 4), 6: (socket.AF_INET6, 16)}
_YEAR_10000: Final = 253_402_300_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A socket inside that takes connections or datagrams."""

    protocol: str  # tcp, udp
    address: str  # of the Environment, IPv4 or IPv6
    port: int
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSession:
    """A process that somebody started inside and that still runs."""

    pid: int
    uid: int
    started: int  # seconds since 1970, by the clock inside
    terminal: bool
    detached: bool
    argv: tuple[str, ...]  # cut to 16 items of 256 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What is at a path inside."""

    mode: int  # type and permissions, as in stat
    uid: int
    gid: int
    size: int  # bytes
    mtime: int  # nanoseconds since 1970


def parse_listeners(payload: wire.Buffer) -> tuple[Listener, ...]:
    """Read the answer to LISTENERS."""
    fields = Fields(payload)
    found = tuple(_listener(fields) for _ in range(fields.count(wire.LISTENERS_MAX)))
    fields.end()
    return found


def _listener(fields: Fields) -> Listener:
    protocol, version, port, uid, address = fields.u8(), fields.u8(), fields.u16(), fields.u32(), fields.raw(16)
    if protocol not in _PROTOCOLS or version not in _FAMILIES:
        raise WireError(f"a listener of protocol {protocol}, version {version}")
    if not port:
        raise WireError("a listener without a port")
    family, length = _FAMILIES[version]
    shown = socket.inet_ntop(family, address[:length])
    return Listener(protocol=_PROTOCOLS[protocol], address=shown, port=port, uid=uid)


def parse_sessions(payload: wire.Buffer) -> tuple[GuestSession, ...]:
    """Read the answer to SESSIONS."""
    return tuple(_session(*fields) for fields in wire.parse_sessions(payload))


def _session(pid: int, uid: int, started: int, flags: int, argv: tuple[str, ...]) -> GuestSession:
    if started > _YEAR_10000:
        raise WireError("a session of a far future")
    if flags & ~(wire.SESSION_TERMINAL | wire.SESSION_DETACHED):
        raise WireError(f"a session with flags {flags:#x}")
    return GuestSession(
        pid=pid,
        uid=uid,
        started=started,
        terminal=bool(flags & wire.SESSION_TERMINAL),
        detached=bool(flags & wire.SESSION_DETACHED),
        argv=argv,
    )


def parse_stat(payload: wire.Buffer) -> FileState | None:
    """Read the answer to STAT; None if nothing is there, `OSError` if it cannot be known."""
    fields = Fields(payload)
    number, mode, uid, gid = fields.u32(), fields.u32(), fields.u32(), fields.u32()
    size, mtime = fields.u64(), fields.u64()
    fields.end()
    if number in (errno.ENOENT, errno.ENOTDIR):
        return None
    if number > wire.ERRNO_MAX:
        raise WireError(f"an error number {number}")
    if number:
        raise OSError(number, os.strerror(number))
    return FileState(mode=mode, uid=uid, gid=gid, size=size, mtime=mtime)
