from collections import deque
from collections.abc import Callable, Iterator

import pytest

from devbox.sync.core.entry import Side
from devbox.sync.endpoint import Answer, Event, Identity, Put, Request, Stat
from devbox.sync.pump import BEGUN, BYTES, REQUESTS, Ask, EndLost, Pump, Rank, Work, one


class Slow:
    """An end that answers what it was asked when it is told to."""

    identity = Identity(b"", 0, 0, 0)

    def __init__(self) -> None:
        self.asked: deque[tuple[Request, Callable[[Answer], None]]] = deque()
        self.seen: list[Request] = []
        self.broken = False

    def fileno(self) -> int:
        return -1

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        if self.broken:
            raise BrokenPipeError(32, "gone")
        self.asked.append((request, done))
        self.seen.append(request)

    def answer(self, many: int = 1) -> None:
        for _ in range(min(many, len(self.asked))):
            request, done = self.asked.popleft()
            done(Answer(data=request[0] if isinstance(request[0], bytes) else b""))

    def process(self) -> None:
        pass

    def events(self) -> Iterator[Event]:
        return iter(())

    def close(self) -> None:
        pass


@pytest.fixture
def host() -> Slow:
    return Slow()


@pytest.fixture
def guest() -> Slow:
    return Slow()


@pytest.fixture
def pump(host: Slow, guest: Slow) -> Pump:
    return Pump(host, guest)


def settle(pump: Pump) -> None:
    while pump.eager:
        pump.turn()


def asking(side: Side, *paths: bytes, found: list[bytes]) -> Work[None]:
    answers = yield [Ask(side, Stat(path)) for path in paths]
    found += [answer.data for answer in answers]


def test_answers_come_in_the_order_of_the_asks(pump: Pump, host: Slow, guest: Slow) -> None:
    found: list[bytes] = []

    def work() -> Work[None]:
        answers = yield [Ask(Side.GUEST, Stat(b"g")), Ask(Side.HOST, Stat(b"h"))]
        found.extend(answer.data for answer in answers)

    pump.start(work())
    settle(pump)
    host.answer()
    guest.answer()
    settle(pump)
    assert found == [b"g", b"h"]
    assert pump.idle


def test_asking_for_nothing_is_answered_with_nothing(pump: Pump) -> None:
    found: list[list[Answer]] = []

    def work() -> Work[None]:
        found.append((yield []))

    pump.start(work())
    settle(pump)
    assert found == [[]]


def test_one_returns_its_answer_and_take_gets_its_own(pump: Pump, host: Slow) -> None:
    found: list[bytes] = []

    def work() -> Work[None]:
        answer = yield from one(Side.HOST, Stat(b"a"))
        found.append(answer.data)
        yield [Ask(Side.HOST, Stat(b"b"), lambda answer: found.append(answer.data))]

    pump.start(work())
    for _ in range(2):
        settle(pump)
        host.answer()
    settle(pump)
    assert found == [b"a", b"b"]


def test_one_end_never_has_more_than_so_many_requests(pump: Pump, guest: Slow) -> None:
    found: list[bytes] = []
    paths = [b"%d" % number for number in range(3 * REQUESTS)]
    pump.start(asking(Side.GUEST, *paths, found=found))
    most = 0
    while not pump.idle:
        settle(pump)
        most = max(most, len(guest.asked))
        guest.answer(7)
    assert most == REQUESTS
    assert found == paths


def test_one_end_never_has_more_than_so_many_bytes(pump: Pump, guest: Slow) -> None:
    size = BYTES // 8
    put = Put(b"a", None, bytes(size), b"", executable=False, mtime=0)

    def work() -> Work[None]:
        yield [Ask(Side.GUEST, put) for _ in range(40)]

    pump.start(work())
    while not pump.idle:
        settle(pump)
        assert sum(len(request.data) for request, _ in guest.asked if isinstance(request, Put)) <= BYTES
        guest.answer()


def test_small_work_is_begun_before_big_work_and_only_so_much_at_once(pump: Pump, guest: Slow) -> None:
    for number in range(BEGUN + 10):
        pump.start(asking(Side.GUEST, b"soon%d" % number, found=[]), Rank.SOON)
    pump.start(asking(Side.GUEST, b"big", found=[]), Rank.BIG)
    pump.start(asking(Side.GUEST, b"now", found=[]))
    settle(pump)
    seen = [request[0] for request in guest.seen]
    assert seen[0] == b"now"
    assert b"big" not in seen[:100]
    assert b"soon%d" % (BEGUN + 5) not in seen
    while not pump.idle:
        guest.answer(1000)
        settle(pump)
    assert len(guest.seen) == BEGUN + 12


def test_an_end_that_has_gone_is_told_by_its_side(pump: Pump, guest: Slow) -> None:
    guest.broken = True
    pump.start(asking(Side.GUEST, b"a", found=[]))
    with pytest.raises(EndLost) as lost:
        settle(pump)
    assert lost.value.side is Side.GUEST
    pump.close()
    assert pump.idle


def test_what_was_started_begins_before_whoever_asks_for_nothing_goes_on(pump: Pump, guest: Slow) -> None:
    def first() -> Work[None]:
        pump.start(asking(Side.GUEST, b"started", found=[]))
        yield []
        yield [Ask(Side.GUEST, Stat(b"later"))]

    pump.start(first())
    settle(pump)
    assert [request[0] for request in guest.seen] == [b"started", b"later"]
