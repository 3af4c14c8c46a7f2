"""The agent's half of the protocol: what it says, encoded, and what it hears, decoded. For fakes and tests alone."""

import socket
from _struct import Struct

from devbox.agent import wire
from devbox.agent.protocol import FileState, GuestSession, Listener
from devbox.agent.wire import ExecMessage, Fields, WireError, frame

_HELLO = Struct("<8sHH")
_U32 = Struct("<I")


def text(data: str | bytes) -> bytes:
    encoded = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return _U32.pack(len(encoded)) + encoded


def hello(
    identity: str,
    *,
    version: int = wire.VERSION,
    accepted: bool = True,
    boot: bytes = b"\x0b" * 16,
    build: str = "0" * 16,
) -> bytes:
    head = _HELLO.pack(wire.MAGIC, version, accepted)
    return frame(wire.HELLO, 0, head + boot + text(identity) + text(build))


def started(channel: int, pid: int = 0) -> bytes:
    return frame(wire.STARTED, channel, _U32.pack(pid))


def failed(channel: int, errno: int, stage: int, what: str) -> bytes:
    return frame(wire.FAILED, channel, _U32.pack(errno) + bytes((stage,)) + text(what))


def exited(channel: int, code: int, signal: int = 0, told: bytes = b"") -> bytes:
    return frame(wire.EXIT, channel, _U32.pack(code) + _U32.pack(signal) + told)


def closed(channel: int, errno: int = 0) -> bytes:
    return frame(wire.CLOSED, channel, _U32.pack(errno))


def error(what: str) -> bytes:
    return frame(wire.ERROR, 0, text(what))


def listeners(channel: int, found: list[Listener]) -> bytes:
    payload = _U32.pack(len(found))
    for item in found:
        six = ":" in item.address
        address = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, item.address).ljust(16, b"\0")
        head = Struct("<BBHI").pack(1 if item.protocol == "tcp" else 2, 6 if six else 4, item.port, item.uid)
        payload += head + address
    return frame(wire.LISTENERS, channel, payload)


def sessions(channel: int, found: list[GuestSession]) -> bytes:
    payload = _U32.pack(len(found))
    for item in found:
        flags = wire.SESSION_TERMINAL * item.terminal | wire.SESSION_DETACHED * item.detached
        argv = b"".join(text(text_) for text_ in item.argv)
        payload += Struct("<IIQB").pack(item.pid, item.uid, item.started, flags) + _U32.pack(len(item.argv)) + argv
    return frame(wire.SESSIONS, channel, payload)


def stat(channel: int, errno: int, state: FileState | None) -> bytes:
    values = (state.mode, state.uid, state.gid, state.size, state.mtime) if state else (0,) * 5
    return frame(wire.STAT, channel, Struct("<IIIIQQ").pack(errno, *values))


def parse_hello(payload: wire.Buffer) -> tuple[int, str]:
    """Return the client's version and the identity that it expects."""
    fields = Fields(payload)
    magic, version, zero = _HELLO.unpack(fields.raw(_HELLO.size))
    if magic != wire.MAGIC:
        raise WireError("no client")
    if version != wire.VERSION:
        return version, ""
    identity = fields.text().decode()
    fields.end()
    if zero:
        raise WireError("a HELLO that is not zero where it should be")
    return version, identity


def parse_exec(payload: wire.Buffer) -> tuple[ExecMessage, int]:
    """Return what is to be started, and its window."""
    fields = Fields(payload)
    flags, window, rows, columns = fields.u32(), fields.u32(), fields.u16(), fields.u16()
    user, cwd = _said(fields.text()), _said(fields.text())
    argv, env = fields.texts(wire.EXEC_MAX // 4), fields.texts(wire.EXEC_MAX // 4)
    fields.end()
    if flags > 15 or not (argv or flags & wire.FLAG_SFTP):
        raise WireError("an EXEC of nothing")
    names = [_said(item) for item in argv]
    message = ExecMessage(
        names, user=user, cwd=cwd, env=[_said(item) for item in env], flags=flags, size=(rows, columns)
    )
    return message, window


def parse_connect(payload: wire.Buffer) -> tuple[int, int, str, int]:
    """Return window, kind, host and port."""
    fields = Fields(payload)
    window, kind, port, host = fields.u32(), fields.u8(), fields.u16(), _said(fields.text())
    fields.end()
    if kind not in (wire.TCP, wire.UDP, wire.UNIX):
        raise WireError(f"a CONNECT of kind {kind}")
    return window, kind, host, port


def parse_listen(payload: wire.Buffer) -> tuple[int, int, int, str, int, str]:
    """Return window, kind, flags, host, port and user."""
    fields = Fields(payload)
    window, kind, flags, port = fields.u32(), fields.u8(), fields.u8(), fields.u16()
    host, user = _said(fields.text()), _said(fields.text())
    fields.end()
    return window, kind, flags, host, port, user


def accepted(channel: int, listener: int, port: int, address: str) -> bytes:
    return frame(wire.ACCEPTED, channel, _U32.pack(listener) + Struct("<H").pack(port) + text(address))


def parse_stat(payload: wire.Buffer) -> tuple[bool, str]:
    """Return whether a link at the end is followed, and the path."""
    fields = Fields(payload)
    flags, path = fields.u32(), _said(fields.text())
    fields.end()
    return not flags & wire.STAT_NO_FOLLOW, path


def parse_resize(payload: wire.Buffer) -> tuple[int, int]:
    fields = Fields(payload)
    rows, columns = fields.u16(), fields.u16()
    fields.end()
    return rows, columns


def parse_signal(payload: wire.Buffer) -> int:
    number = wire.parse_window(payload)
    if not 1 <= number <= 64:
        raise WireError(f"a signal {number}")
    return number


def _said(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
