"""Every message of the agent's protocol as hypothesis may say it, and what whoever hears it must make of it."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from hypothesis import strategies as st

from devbox.agent import protocol, wire
from devbox.agent.protocol import FileState, GuestSession, Listener
from devbox.agent.wire import ExecMessage, frame
from tests.fakes import agent_messages as says

KNOWN = wire.FROM_AGENT | wire.FROM_CLIENT
U8, U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
CHANNEL, ERRNO = U32, st.integers(0, wire.ERRNO_MAX)
# What a message can say: any bytes but NUL, as a file's name in Python has them.
TEXT = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"/").decode("utf-8", "surrogateescape"))
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
TEXTS = st.lists(TEXT, max_size=6)
CUTS = st.lists(st.integers(1, 200), min_size=1, max_size=8)


def shown(address: IPv4Address | IPv6Address) -> str:
    """Return an address as the C library writes it: "::ffff:0.0.0.0", where Python writes "::ffff:0:0"."""
    return socket.inet_ntop(socket.AF_INET if address.version == 4 else socket.AF_INET6, address.packed)


Parser = Callable[[wire.Buffer], Any]


class Said(NamedTuple):
    """A message as it is sent, how it is read, and what must come out."""

    sent: bytes
    read: Parser
    meant: object


def _exec(channel: int, numbers: Sequence[int], texts: Sequence[str], argv: list[str], env: list[str]) -> Said:
    flags, window, rows, columns = numbers
    message = ExecMessage(["x", *argv], user=texts[0], cwd=texts[1], env=env, flags=flags % 16, size=(rows, columns))
    return Said(wire.exec_(channel, message, window=window), _read_exec, (*_plain(message), window))


def _read_exec(payload: wire.Buffer) -> tuple[object, ...]:
    message, window = says.parse_exec(payload)
    return (*_plain(message), window)


def _plain(message: ExecMessage) -> tuple[object, ...]:
    return message.argv, message.env, message.user, message.cwd, message.flags, message.rows, message.columns


def _hello_fields(payload: wire.Buffer) -> tuple[object, ...]:
    found = wire.parse_hello(payload)
    return found.version, found.accepted, found.boot, found.identity, found.build


FROM_CLIENT = {
    "HELLO": st.builds(lambda name: Said(wire.hello(name), says.parse_hello, (wire.VERSION, name)), ASCII),
    "EXEC": st.builds(_exec, CHANNEL, st.tuples(U8, U32, U16, U16), st.tuples(TEXT, TEXT), TEXTS, TEXTS),
    "CONNECT": st.builds(
        lambda at, kind, host, port, window: Said(
            wire.connect(at, kind, host, port, window=window), says.parse_connect, (window, kind, host, port)
        ),
        *(CHANNEL, st.sampled_from((wire.TCP, wire.UDP, wire.UNIX)), TEXT, U16, U32),
    ),
    "LISTEN": st.builds(
        lambda at, kind, host, port, user, flags, window: Said(
            wire.listen(at, kind, host, port, user=user, flags=flags, window=window),
            says.parse_listen,
            (window, kind, flags, host, port, user),
        ),
        *(CHANNEL, U8, TEXT, U16, TEXT, U8, U32),
    ),
    "WINDOW": st.builds(lambda at, count: Said(wire.window(at, count), wire.parse_window, count), CHANNEL, U32),
    "RESIZE": st.builds(
        lambda at, rows, columns: Said(wire.resize(at, rows, columns), says.parse_resize, (rows, columns)),
        *(CHANNEL, U16, U16),
    ),
    "SIGNAL": st.builds(
        lambda at, number: Said(wire.signal(at, number), says.parse_signal, number), CHANNEL, st.integers(1, 64)
    ),
    "STAT": st.builds(
        lambda at, path, follow: Said(wire.stat(at, path, follow=follow), says.parse_stat, (follow, path)),
        *(CHANNEL, TEXT, st.booleans()),
    ),
}
FROM_AGENT = {
    "HELLO": st.builds(
        lambda accepted, boot, identity, build: Said(
            says.hello(identity, accepted=accepted, boot=boot, build=build),
            _hello_fields,
            (wire.VERSION, accepted, boot.hex(), identity, build),
        ),
        *(st.booleans(), st.binary(min_size=16, max_size=16), ASCII, ASCII),
    ),
    "STARTED": st.builds(lambda at, pid: Said(says.started(at, pid), wire.parse_started, pid), CHANNEL, U32),
    "FAILED": st.builds(
        lambda at, errno, stage, what: Said(
            says.failed(at, errno, stage, what), wire.parse_failed, (errno, stage, what)
        ),
        *(CHANNEL, ERRNO, st.integers(wire.STAGE_USER, wire.STAGE_LISTEN), ASCII),
    ),
    "EXIT": st.builds(
        lambda at, code, number: Said(says.exited(at, code, number), wire.parse_exit, (code, number)),
        *(CHANNEL, U8, st.integers(0, 64)),
    ),
    "CLOSED": st.builds(lambda at, errno: Said(says.closed(at, errno), wire.parse_closed, errno), CHANNEL, ERRNO),
    "ERROR": st.builds(lambda what: Said(says.error(what), wire.parse_error, what), ASCII),
    "ACCEPTED": st.builds(
        lambda at, of, port, address: Said(
            says.accepted(at, of, port, address), wire.parse_accepted, (of, port, address)
        ),
        *(CHANNEL, U32, U16, ASCII),
    ),
    "LISTENERS": st.builds(
        lambda at, found: Said(says.listeners(at, found), protocol.parse_listeners, tuple(found)),
        CHANNEL,
        st.lists(
            st.builds(
                lambda protocol, address, port, uid: Listener(
                    protocol=protocol, address=shown(address), port=port, uid=uid
                ),
                *(st.sampled_from(("tcp", "udp")), st.ip_addresses(), st.integers(1, 65535), U32),
            ),
            max_size=5,
        ),
    ),
    "SESSIONS": st.builds(
        lambda at, found: Said(says.sessions(at, found), protocol.parse_sessions, tuple(found)),
        CHANNEL,
        st.lists(
            st.builds(
                GuestSession,
                **{"pid": U32, "uid": U32, "started": st.integers(0, 253_402_300_800)},
                **{"terminal": st.booleans(), "detached": st.booleans(), "argv": TEXTS.map(tuple)},
            ),
            max_size=5,
        ),
    ),
    "STAT": st.builds(
        lambda at, state: Said(says.stat(at, 0, state), protocol.parse_stat, state),
        CHANNEL,
        st.builds(FileState, mode=U32, uid=U32, gid=U32, size=U64, mtime=U64),
    ),
}
BARE = st.builds(
    lambda kind, at, data: Said(frame(kind, at, data), bytes, data),
    *(st.sampled_from(sorted(wire.STREAMS)), CHANNEL, st.binary(max_size=300)),
)
EMPTY = st.builds(
    lambda kind, at: Said(frame(kind, at), bytes, b""),
    *(st.sampled_from((wire.EOF, wire.CLOSE, wire.LISTENERS, wire.SESSIONS)), CHANNEL),
)
MESSAGE = st.one_of(*FROM_CLIENT.values(), *FROM_AGENT.values(), BARE, EMPTY)
PARSERS: tuple[Parser, ...] = (
    *(wire.parse_hello, wire.parse_started, wire.parse_failed, wire.parse_exit, wire.exit_status, wire.parse_window),
    *(wire.parse_closed, wire.parse_accepted, wire.parse_sessions, wire.parse_error),
    *(protocol.parse_listeners, protocol.parse_sessions, protocol.parse_stat),
)


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return `data` cut into pieces of these sizes, over and over."""
    found, at, number = [], 0, 0
    while at < len(data):
        step = at + cuts[number % len(cuts)]
        found.append(data[at:step])
        at, number = step, number + 1
    return found
