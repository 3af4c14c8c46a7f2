"""The protocol's limits: a value at each is right, the next is wrong, and nobody makes devbox hold more than that."""

import contextlib
import tracemalloc
from collections import deque
from collections.abc import Callable, Sequence

import pytest

from devbox.agent import protocol, wire
from devbox.agent.wire import Decoder, ExecMessage, WireError, frame
from tests.fakes import agent_messages as says
from tests.support.messages import KNOWN, PARSERS, Parser, pieces


def _list(count: int, item: bytes) -> bytes:
    return count.to_bytes(4, "little") + item * count


SESSION = bytes(17)  # pid, uid, start, flags
LISTENER = b"\1\4\x01\0" + bytes(20)  # TCP, IPv4, port 1
EMPTY_TEXT = bytes(4)
LIMITS: dict[str, tuple[Parser, bytes, bytes]] = {  # how it is read, the last that is right, the first that is wrong
    "errno of FAILED": (wire.parse_failed, says.failed(1, 4095, 1, ""), says.failed(1, 4096, 1, "")),
    "first stage": (wire.parse_failed, says.failed(1, 0, 1, ""), says.failed(1, 0, 0, "")),
    "last stage": (wire.parse_failed, says.failed(1, 0, 6, ""), says.failed(1, 0, 7, "")),
    "errno of CLOSED": (wire.parse_closed, says.closed(1, 4095), says.closed(1, 4096)),
    "exit code": (wire.parse_exit, says.exited(1, 255), says.exited(1, 256)),
    "signal": (wire.exit_status, says.exited(1, 0, 64), says.exited(1, 0, 65)),
    "accepted": (wire.parse_hello, says.hello("x"), says.hello("x").replace(b"\1\0\1\0", b"\1\0\2\0")),
    "magic": (wire.parse_hello, says.hello("x"), says.hello("x").replace(wire.MAGIC, b"DEVBOXAH")),
    "sessions": (
        protocol.parse_sessions,
        frame(wire.SESSIONS, 1, _list(500, SESSION + EMPTY_TEXT)),
        frame(wire.SESSIONS, 1, _list(501, SESSION + EMPTY_TEXT)),
    ),
    "argv of a session": (
        protocol.parse_sessions,
        frame(wire.SESSIONS, 1, _list(1, SESSION + _list(16, EMPTY_TEXT))),
        frame(wire.SESSIONS, 1, _list(1, SESSION + _list(17, EMPTY_TEXT))),
    ),
    "flags of a session": (
        protocol.parse_sessions,
        frame(wire.SESSIONS, 1, _list(1, SESSION[:-1] + b"\5" + EMPTY_TEXT)),
        frame(wire.SESSIONS, 1, _list(1, SESSION[:-1] + b"\2" + EMPTY_TEXT)),
    ),
    "listeners": (
        protocol.parse_listeners,
        frame(wire.LISTENERS, 1, _list(2000, LISTENER)),
        frame(wire.LISTENERS, 1, _list(2001, LISTENER)),
    ),
    "port of a listener": (
        protocol.parse_listeners,
        frame(wire.LISTENERS, 1, _list(1, LISTENER)),
        frame(wire.LISTENERS, 1, _list(1, LISTENER.replace(b"\x01\0", b"\0\0"))),
    ),
    "errno of STAT": (protocol.parse_stat, says.stat(1, 0, None), says.stat(1, 4096, None)),
    "a NUL": (wire.parse_error, says.error("x\x01"), says.error("x\0")),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_value_at_its_limit_is_right_and_the_next_is_wrong(what: str) -> None:
    read, right, wrong = LIMITS[what]
    read(right[wire.HEADER :])
    with pytest.raises(WireError):
        read(wrong[wire.HEADER :])
    with pytest.raises(WireError):
        read(right[wire.HEADER :] + b"\0")
    with pytest.raises(WireError):
        read(right[wire.HEADER : -1])


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_a_payload_is_as_long_as_the_protocol_has_it_and_no_longer(kind: int) -> None:
    most = 1_048_576 if kind == wire.EXEC else 65_536
    (found,) = Decoder(known=KNOWN).feed(frame(kind, 0xFFFFFFFF, bytes(most)))
    assert (found[0], found[1], len(found[2])) == (kind, 0xFFFFFFFF, most)
    for length in (most + 1, 0xFFFFFFFF):
        with pytest.raises(WireError, match=str(length)):  # as soon as the header is there
            list(Decoder(known=KNOWN).feed(wire.header(length, kind, 1)))


@pytest.mark.parametrize("word", [0, 0x55, 0xFF, wire.EOF | 0x100, wire.EOF | 0x80000000, wire.EXEC])
def test_of_an_unknown_type_the_header_is_enough(word: int) -> None:
    with pytest.raises(WireError, match="unknown type"):
        list(Decoder().feed(wire.header(0, word, 1)))


SAYABLE: dict[str, Callable[[int], bytes]] = {  # with so many bytes in its text or texts
    "EXEC": lambda size: wire.exec_(1, ExecMessage(("x" * (size - 32),)), window=1),
    "CONNECT": lambda size: wire.connect(1, wire.UNIX, "x" * (size - 11), 0, window=1),
    "LISTEN": lambda size: wire.listen(1, wire.UNIX, "x" * (size - 16), 0, user="", window=1),
    "STAT": lambda size: wire.stat(1, "x" * (size - 8)),
}


@pytest.mark.parametrize("what", SAYABLE)
def test_what_is_too_long_to_be_said_is_a_value_error(what: str) -> None:
    most = wire.EXEC_MAX if what == "EXEC" else wire.PAYLOAD_MAX
    assert len(SAYABLE[what](most)) == wire.HEADER + most
    with pytest.raises(ValueError, match="long"):
        SAYABLE[what](most + 1)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_number_that_is_no_port_is_a_value_error(port: int) -> None:
    with pytest.raises(ValueError, match="no port"):
        wire.connect(1, wire.TCP, "::1", port, window=1)
    with pytest.raises(ValueError, match="no port"):
        wire.listen(1, wire.TCP, "::1", port, user="", window=1)


def test_a_terminal_is_at_most_as_large_as_can_be_said() -> None:
    assert says.parse_resize(wire.resize(1, 70_000, 65_536)[wire.HEADER :]) == (65_535, 65_535)


SLACK = 32 * 1024  # bytes: the interpreter's own, and the eighth that a bytearray takes beforehand


@pytest.mark.parametrize("step", [1000, 65_536])
@pytest.mark.parametrize("known", [wire.FROM_AGENT, wire.FROM_CLIENT], ids=["host", "agent"])
def test_a_decoder_holds_one_frame_however_many_come_and_a_long_one_not_at_all(
    known: frozenset[int], step: int
) -> None:
    kind = wire.EXEC if wire.EXEC in known else wire.ERROR
    most = wire.EXEC_MAX if kind == wire.EXEC else wire.PAYLOAD_MAX
    parts = [*pieces(frame(kind, 1, bytes(most)) * 3, [step]), wire.header(0xFFFFFFFF, kind, 1)]

    decoder = Decoder(known=known)
    assert most / 2 < taken(lambda: swallow(decoder, parts[:-1])) < most * 9 // 8 + step + SLACK
    with pytest.raises(WireError, match="a payload of 4294967295 bytes"):
        swallow(decoder, parts[-1:])


@pytest.mark.parametrize("kind", sorted(wire.STREAMS))
def test_of_a_stream_in_pieces_nothing_is_held(kind: int) -> None:
    decoder, parts = Decoder(known=KNOWN, pieces=True), pieces(frame(kind, 1, bytes(65_536)) * 3, [1000])
    assert taken(lambda: [len(data) for part in parts for _, _, data in decoder.feed(part)]) < SLACK


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\xff" * wire.PAYLOAD_MAX, id="lengths of 4 GiB"),
        pytest.param(_list(500, SESSION + _list(16, EMPTY_TEXT)), id="sessions"),
        pytest.param(_list(2000, LISTENER), id="listeners"),
        pytest.param(says.error("\x7f" * (wire.PAYLOAD_MAX - 4))[wire.HEADER :], id="what has to be escaped"),
    ],
)
def test_no_message_takes_more_memory_than_a_hundred_times_its_payload(payload: bytes) -> None:
    def read() -> None:
        for parse in PARSERS:
            with contextlib.suppress(WireError):
                parse(payload)

    assert taken(read) < 100 * wire.PAYLOAD_MAX


def swallow(decoder: Decoder, parts: Sequence[bytes]) -> None:
    """Feed `parts` and keep no frame."""
    for part in parts:
        deque(decoder.feed(part), maxlen=0)


def taken(act: Callable[[], object]) -> int:
    """Return how many bytes `act` took at its height, beyond what there was before."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
