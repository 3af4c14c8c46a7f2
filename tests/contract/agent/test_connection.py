"""HELLO, and what an agent does with clients that do not keep to the protocol."""

import contextlib
import itertools
from _struct import Struct
from collections.abc import Iterator

import pytest

from devbox.agent import wire
from devbox.agent.client import OtherAgent, hello
from devbox.agent.transport import Transport
from devbox.agent.wire import Decoder, ExecMessage, Frame, frame
from tests.contract.agent.conftest import Target

pytestmark = pytest.mark.timeout(60)

_U32 = Struct("<I")


class Client:
    """Sends any bytes, and has the frames that come."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    def say(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the end has come already; `next` tells of it
            self._transport.send(data)

    def next(self) -> tuple[int, int, bytes] | None:
        """Return the next frame; None at the end."""
        while not self._frames:
            try:
                data = self._transport.receive(65536)
            except ConnectionResetError:  # the end, when there was more to be read
                return None
            if not data:
                return None
            self._frames += [
                (kind, channel, memoryview(bytes(data))) for kind, channel, data in self._decoder.feed(data)
            ]
        kind, channel, payload = self._frames.pop(0)
        return kind, channel, bytes(payload)

    def rest(self) -> list[tuple[int, int, bytes]]:
        return list(iter(self.next, None))


@pytest.fixture
def client(target: Target) -> Iterator[Client]:
    transport = target.dial()
    yield Client(transport)
    transport.close()


def start(channel: int = 1, *argv: str) -> bytes:
    return wire.exec_(channel, ExecMessage(argv or ("cat",)), window=1000)


def test_hello_names_version_boot_identity_and_build(target: Target) -> None:
    found = []
    for identity in (target.identity, ""):
        transport = target.dial()
        found.append(hello(transport, identity, Decoder())[0])
        transport.close()
    one, other = found
    assert (one.version, one.accepted, one.identity) == (wire.VERSION, True, target.identity)
    assert one.boot == other.boot
    assert len(one.boot) == 32
    assert len(one.build) == 16


def test_another_identity_is_refused_and_nothing_is_started(target: Target) -> None:
    transport = target.dial()
    with pytest.raises(OtherAgent, match="another environment"):
        hello(transport, "f" * 64, Decoder(), start())
    assert list(Client(transport).rest()) == []
    transport.close()


def test_another_version_is_refused_with_our_own(client: Client) -> None:
    client.say(frame(wire.HELLO, 0, wire.MAGIC + b"\xe7\x03" + b"whatever that version says") + start())
    kind, channel, payload = client.next() or (0, 0, b"")
    answer = wire.parse_hello(payload)
    assert (kind, channel, answer.version, answer.accepted) == (wire.HELLO, 0, wire.VERSION, False)
    assert client.rest() == []


def _damaged_exec(channel: int = 1) -> Iterator[bytes]:
    whole = start()[wire.HEADER :]
    yield frame(wire.EXEC, channel, whole[:-1])
    yield frame(wire.EXEC, channel, whole + b"\0")
    yield frame(wire.EXEC, channel, whole.replace(b"cat", b"c\0t"))
    yield frame(wire.EXEC, channel, whole.replace(b"\3\0\0\0cat", b"\xff\xff\xff\xffcat"))
    yield frame(wire.EXEC, channel, b"\xff\xff\xff\xff" + whole[4:])


BAD = {
    "an unknown type": frame(0x55, 1),
    "a type of the agent": frame(wire.STDOUT, 1, b"x"),
    "header bytes that are not zero": wire.header(0, wire.LISTENERS | 0x100, 1),
    "a long payload": wire.header(65_537, wire.DATA, 1),
    "a very long payload": wire.header(0xFFFFFFFF, wire.EXEC, 1),
    "a second HELLO": wire.hello(""),
    "EXEC on channel 0": start(0),
    "EXEC on a channel of the agent": start(wire.ACCEPTED_FIRST),
    "a channel in use": start(1) + start(1),
    "a short EXEC": next(itertools.islice(_damaged_exec(), 0, None)),
    "a long EXEC": next(itertools.islice(_damaged_exec(), 1, None)),
    "a NUL in argv": next(itertools.islice(_damaged_exec(), 2, None)),
    "a length beyond the payload": next(itertools.islice(_damaged_exec(), 3, None)),
    "unknown flags": next(itertools.islice(_damaged_exec(), 4, None)),
    "EXEC of nothing": wire.exec_(1, ExecMessage(()), window=1),
    "more DATA than the credit": start(1, "sleep", "1000") + frame(wire.DATA, 1, b"x" * 65536) * 5,
    "signal 0": start() + wire.signal(1, 0),
    "signal 65": start() + wire.signal(1, 65),
    "a short SIGNAL": start() + frame(wire.SIGNAL, 1, b"\1"),
    "a short RESIZE": start() + frame(wire.RESIZE, 1, b"\1\0"),
    "a short WINDOW": start() + frame(wire.WINDOW, 1),
    "EOF with a payload": start() + frame(wire.EOF, 1, b"x"),
    "CLOSE with a payload": start() + frame(wire.CLOSE, 1, b"x"),
    "a question that says more": frame(wire.LISTENERS, 1, b"x"),
    "CONNECT of an unknown kind": frame(wire.CONNECT, 1, _U32.pack(1) + b"\x09\0\0\0\0\0\0"),
    "a short STAT": frame(wire.STAT, 1, b"\0\0\0\0"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_violation_ends_the_connection_and_nothing_else(target: Target, client: Client, what: str) -> None:
    client.say(wire.hello(target.identity) + BAD[what])
    kinds = [(kind, channel) for kind, channel, _ in client.rest()]
    assert kinds[0] == (wire.HELLO, 0)
    assert kinds[-1] == (wire.ERROR, 0)
    assert target.run("cat", stdin=b"alive")[:2] == (0, b"alive")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(start(), id="EXEC"),
        pytest.param(frame(wire.HELLO, 1), id="channel 1"),
        pytest.param(frame(wire.HELLO, 0, b"DEVBOXXX" + bytes(8)), id="other magic"),
        pytest.param(b"GET /" * 9, id="HTTP"),
    ],
)
def test_no_proper_hello_at_the_beginning(target: Target, client: Client, first: bytes) -> None:
    client.say(first)
    assert [kind for kind, _, _ in client.rest()] == [wire.ERROR]
    assert target.run("true")[0] == 0


def test_what_is_said_to_an_ended_channel_is_dropped(target: Target, client: Client) -> None:
    late = [frame(wire.DATA, 7, b"x"), frame(wire.EOF, 7), wire.window(7, 1), wire.resize(7, 1, 1), wire.signal(7, 9)]
    client.say(wire.hello("") + b"".join(late) + frame(wire.CLOSE, 7) + frame(wire.SESSIONS, 9))
    assert (client.next() or (0,))[0] == wire.HELLO
    answer = client.next()
    assert answer
    assert answer[:2] == (wire.SESSIONS, 9)


def test_frames_may_come_in_any_pieces(target: Target, client: Client) -> None:
    for byte in wire.hello("") + start(3, "true"):
        client.say(bytes((byte,)))
    seen = [client.next() for _ in range(3)]
    assert [item and item[:2] for item in seen] == [(wire.HELLO, 0), (wire.STARTED, 3), (wire.EXIT, 3)]


def test_no_more_output_comes_than_was_asked_for(target: Target, client: Client) -> None:
    client.say(wire.hello("") + wire.exec_(1, ExecMessage(("head", "-c", "1000000", "/dev/zero")), window=70_000))
    seen = 0
    while seen < 70_000:
        kind, _, payload = client.next() or (0, 0, b"")
        seen += len(payload) if kind == wire.STDOUT else 0
    assert seen == 70_000
    client.say(frame(wire.SESSIONS, 2))  # the agent has had every opportunity to say more
    assert (client.next() or (0,))[0] == wire.SESSIONS
    client.say(wire.window(1, 930_000))
    while seen < 1_000_000:
        seen += len((client.next() or (0, 0, b""))[2])
    assert (client.next() or (0,))[0] == wire.EXIT


def test_many_channels_of_one_connection(target: Target, client: Client) -> None:
    client.say(wire.hello("") + b"".join(start(number, "sh", "-c", f"exit {number}") for number in range(1, 51)))
    codes = {}
    while len(codes) < 50:
        kind, channel, payload = client.next() or (0, 0, b"")
        if kind == wire.EXIT:
            codes[channel] = wire.exit_status(payload)
    assert codes == {number: number for number in range(1, 51)}
