"""A strand between a client's socket and a line that only remembers."""

import selectors
import socket
from collections.abc import Callable, Iterator

import pytest

from devbox.vm.line_frames import CLOSE, CREDIT, DATA, DATA_MOST, END, OPEN, WINDOW, Violation
from devbox.vm.line_strand import Strand

Pair = tuple[socket.socket, socket.socket]  # the line's end, the client's

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Way:
    """A line that remembers what it was asked for."""

    def __init__(self) -> None:
        self.said: list[tuple[int, int, bytes]] = []
        self.full = False
        self.events = 0
        self.dropped = False

    def send(self, number: int, kind: int, payload: bytes | memoryview = b"") -> None:
        self.said.append((number, kind, bytes(payload)))

    def is_full(self) -> bool:
        return self.full

    def watch(self, connected: object, events: int, act: Callable[[int], None]) -> None:
        self.events = events

    def drop(self, number: int) -> None:
        self.dropped = True


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, client = socket.socketpair()
    with ours, client:
        client.settimeout(5)
        yield ours, client


def say_all(strand: Strand, pair: Pair) -> None:
    """Say all that the machine may without more credit, most of which has to wait for the client."""
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for _ in range(WINDOW // DATA_MOST):
        strand.take(DATA, memoryview(bytes(DATA_MOST)))


def test_it_opens_and_passes_on_what_it_hears(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 5, pair[0])
    pair[1].sendall(b"hey")
    strand.ready(READ)
    pair[1].shutdown(socket.SHUT_WR)
    strand.ready(READ)
    assert way.said == [(5, OPEN, b""), (5, DATA, b"hey"), (5, END, b"")]
    assert not way.events


def test_no_more_is_read_than_there_is_credit_for(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    pair[1].setblocking(False)
    sent = 0
    while len(way.said) <= WINDOW // DATA_MOST:
        sent += pair[1].send(bytes(DATA_MOST))
        strand.ready(READ)
    assert sum(len(payload) for _, kind, payload in way.said if kind == DATA) == WINDOW
    assert not way.events & READ
    strand.take(CREDIT, memoryview((10).to_bytes(4, "little")))
    assert way.events & READ


def test_nothing_is_read_while_the_line_is_full(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    way.full = True
    pair[1].sendall(b"hey")
    strand.ready(READ)
    assert way.said == [(1, OPEN, b"")]
    assert not way.events


def test_credit_is_given_back_as_the_client_takes_it_and_no_more_is_kept(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    say_all(strand, pair)
    assert way.events & WRITE
    with pytest.raises(Violation):
        strand.take(DATA, memoryview(bytes(DATA_MOST)))
    taken = 0
    while taken < WINDOW:
        taken += len(pair[1].recv(65536))
        strand.ready(WRITE)
    assert sum(int.from_bytes(payload, "little") for _, kind, payload in way.said if kind == CREDIT) >= WINDOW // 2


def test_it_goes_when_both_sides_have_ended(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    strand.take(END, memoryview(b""))
    assert pair[1].recv(1) == b""
    assert not way.dropped
    pair[1].close()
    strand.ready(READ)
    assert way.dropped


def test_a_client_that_has_gone_is_told_of(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    pair[1].close()
    strand.take(DATA, memoryview(b"hey"))
    assert way.said[-1] == (1, CLOSE, b"")
    assert way.dropped


def test_what_a_client_said_before_it_went_goes_out_before_that_is_told(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    way.full = True
    pair[1].sendall(b"bye")
    pair[1].close()
    strand.take(DATA, memoryview(b"hey"))
    assert way.said == [(1, OPEN, b""), (1, DATA, b"bye"), (1, END, b""), (1, CLOSE, b"")]
    assert way.dropped


def test_what_the_machine_said_before_it_closed_is_still_the_client_s(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    say_all(strand, pair)
    strand.take(CLOSE, memoryview(b""))
    assert way.events == WRITE
    with pytest.raises(BrokenPipeError):
        pair[1].send(b"nobody listens")
    taken = 0
    while not way.dropped:
        taken += len(pair[1].recv(65536))
        strand.ready(WRITE)
    while data := pair[1].recv(65536):
        taken += len(data)
    assert taken == WINDOW


def test_a_machine_that_closed_is_not_waited_for(pair: Pair) -> None:
    way = Way()
    strand = Strand(way, 1, pair[0])
    pair[1].sendall(b"hey")
    strand.take(CLOSE, memoryview(b""))
    assert way.said == [(1, OPEN, b"")]
    assert way.dropped


def test_two_ends_and_data_after_the_end_are_refused(pair: Pair) -> None:
    strand = Strand(Way(), 1, pair[0])
    strand.take(END, memoryview(b""))
    for kind in (END, DATA):
        with pytest.raises(Violation):
            strand.take(kind, memoryview(b""))
