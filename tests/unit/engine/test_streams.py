"""Frames, hijacked connections and the relay, over plain socket pairs."""

import contextlib
import selectors
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.engine.relay import _close_notify
from devbox.engine.streams import PIECE, Frames, HijackedStream, StreamBrokenError


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def reader(data: bytes, sizes: Iterator[int] | None = None) -> Callable[[int], bytes]:
    """Return a `read` over `data` that gives as little as `sizes` says, and never more than asked."""
    left = bytearray(data)

    def read(count: int) -> bytes:
        taken = bytes(left[: min(count, next(sizes, count) if sizes else count)])
        del left[: len(taken)]
        return taken

    return read


def drain(frames: Frames) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while (item := frames.receive()) is not None:
        found.append(item)
    return found


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=20),
    st.lists(st.integers(min_value=1, max_value=9), max_size=400),
)
def test_frames_come_apart_however_they_are_cut(sent: list[tuple[int, bytes]], sizes: list[int]) -> None:
    data = b"".join(frame(stream, content) for stream, content in sent)
    got = drain(Frames(reader(data, iter(sizes))))
    for stream in (1, 2):
        assert b"".join(part for number, part in got if number == stream) == b"".join(
            content for number, content in sent if number == stream
        )
    assert all(part for _, part in got)


def test_a_huge_frame_is_passed_on_in_pieces() -> None:
    left = [4 * 1024**3 - 1]
    asked: list[int] = []

    def read(count: int) -> bytes:
        asked.append(count)
        if len(asked) == 1:
            return struct.pack(">BxxxL", 1, left[0])
        return b"x" * count

    frames = Frames(read)
    for _ in range(10):
        item = frames.receive()
        assert item is not None
        assert len(item[1]) == PIECE
    assert max(asked) == PIECE


def test_nothing_beyond_the_piece_is_read() -> None:
    data = frame(1, b"one") + frame(2, b"two")
    left = bytearray(data)

    def read(count: int) -> bytes:
        taken = bytes(left[:count])
        del left[:count]
        return taken

    assert Frames(read).receive() == (1, b"one")
    assert bytes(left) == frame(2, b"two")


@pytest.mark.parametrize(
    "data", [frame(1, b"abc")[:-1], frame(1, b"abc")[:5], b"HTTP/1.1 500 Internal", frame(9, b"x")], ids=str
)
def test_what_is_cut_off_or_no_frame_is_told(data: bytes) -> None:
    with pytest.raises(StreamBrokenError):
        drain(Frames(reader(data)))


def test_the_engines_own_error_counts_as_stderr() -> None:
    assert drain(Frames(reader(frame(3, b"broken")))) == [(2, b"broken")]


def test_a_terminal_has_no_frames() -> None:
    assert drain(Frames(reader(b"abc"), multiplexed=False)) == [(1, b"abc")]


class Wire:
    """Both ends of a connection: `stream` here, `engine` there."""

    def __init__(self, *, early: bytes = b"", multiplexed: bool = True) -> None:
        here, self.engine = socket.socketpair()
        self.engine.sendall(b"header\n" + early)
        source = here.makefile("rb")
        assert source.readline() == b"header\n"  # and with it, whatever has come already
        self.released = 0
        self.stream = HijackedStream(source, release=self._release, multiplexed=multiplexed)
        self._open = (here, source)

    def _release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.stream.close()
        for item in (*self._open, self.engine):
            item.close()


@pytest.fixture(params=[b"", frame(1, b"early")], ids=["direct", "relayed"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    with contextlib.closing(Wire(early=request.param)) as found:
        if request.param:
            assert readable(found.stream)
            assert found.stream.receive() == (1, b"early")
        yield found


def readable(stream: HijackedStream, timeout: float = 10) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(stream.fileno(), selectors.EVENT_READ)
        return bool(selector.select(timeout))


def test_the_descriptor_tells_when_there_is_something(wire: Wire) -> None:
    assert not readable(wire.stream, 0)
    wire.engine.sendall(frame(1, b"one") + frame(2, b"two"))
    for expected in ((1, b"one"), (2, b"two")):
        assert readable(wire.stream)
        assert wire.stream.receive() == expected
    assert not readable(wire.stream, 0)


def test_input_goes_out_and_ends_while_output_goes_on(wire: Wire) -> None:
    wire.stream.send(b"in")
    wire.stream.close_stdin()
    assert wire.engine.recv(100) == b"in"
    assert wire.engine.recv(100) == b""
    wire.engine.sendall(frame(2, b"late"))
    wire.engine.close()
    assert wire.stream.receive() == (2, b"late")
    assert wire.stream.receive() is None


def test_much_in_both_directions_at_once(wire: Wire) -> None:
    sent = bytes(range(256)) * 8192

    def echo() -> None:
        while data := wire.engine.recv(65536):
            wire.engine.sendall(frame(1, data))
        wire.engine.shutdown(socket.SHUT_WR)

    def send() -> None:
        wire.stream.send(sent)
        wire.stream.close_stdin()

    threads = [threading.Thread(target=echo), threading.Thread(target=send)]
    for thread in threads:
        thread.start()
    got = b""
    while (item := wire.stream.receive()) is not None:
        got += item[1]
    for thread in threads:
        thread.join()
    assert got == sent


def test_sending_to_one_who_has_gone_does_nothing(wire: Wire) -> None:
    wire.engine.close()
    for _ in range(3):
        wire.stream.send(b"x" * 100_000)
    assert wire.stream.receive() is None


def test_closing_twice_gives_back_once_and_ends_the_stream(wire: Wire) -> None:
    wire.stream.close()
    wire.stream.close()
    assert wire.released == 1
    assert wire.engine.recv(1) == b""


def test_closing_does_not_wait_for_an_engine_that_neither_reads_nor_ends() -> None:
    with contextlib.closing(Wire(early=frame(1, b"x"))) as wire:
        wire.engine.sendall(frame(1, b"y") * 1000)
        wire.stream.close_stdin()
        wire.stream.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "engine-relay"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=engine"]
    try:
        subprocess.run([*argv, "-keyout", str(file), "-out", f"{file}.crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


@contextlib.contextmanager
def over_tls(certificate: Path, early: bytes | None = None) -> Iterator[tuple[HijackedStream, ssl.SSLSocket]]:
    """Have a stream over TLS and its other end, which may have said `early` and ended before the stream is made."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    ends = socket.socketpair()
    accepted: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: accepted.append(server.wrap_socket(ends[1], server_side=True)))
    thread.start()
    here = client.wrap_socket(ends[0])
    thread.join()
    if early is not None:
        accepted[0].sendall(early)
        _close_notify(accepted[0])
    source = here.makefile("rb")
    stream = HijackedStream(source, release=lambda: None, multiplexed=True)
    yield stream, accepted[0]
    stream.close()
    for item in (source, here, accepted[0]):
        item.close()


@pytest.fixture
def tls(certificate: Path) -> Iterator[tuple[HijackedStream, ssl.SSLSocket]]:
    with over_tls(certificate) as both:
        yield both


@pytest.mark.timeout(20)
@pytest.mark.parametrize("early", [b"", frame(1, b"all there is")])
def test_an_end_that_comes_with_the_answers_header_is_seen(certificate: Path, early: bytes) -> None:
    with over_tls(certificate, early) as (stream, _):
        assert stream.receive() == ((1, b"all there is") if early else None)


def test_tls_holds_nothing_back(tls: tuple[HijackedStream, ssl.SSLSocket]) -> None:
    stream, engine = tls
    engine.sendall(frame(1, b"one") + frame(2, b"two"))
    for expected in ((1, b"one"), (2, b"two")):
        assert readable(stream)
        assert stream.receive() == expected


def test_over_tls_input_ends_while_output_goes_on(tls: tuple[HijackedStream, ssl.SSLSocket]) -> None:
    stream, engine = tls
    stream.send(b"in")
    stream.close_stdin()
    assert engine.recv(100) == b"in"
    assert engine.recv(100) == b""
    engine.sendall(frame(1, b"late"))
    engine.shutdown(socket.SHUT_RDWR)
    assert stream.receive() == (1, b"late")
    assert stream.receive() is None
