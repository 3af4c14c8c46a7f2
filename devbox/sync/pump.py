"""Work on both ends at once: generators that ask and are told, with a bounded number of requests and bytes on the way.

A Work yields a list of Asks and is sent the list of their Answers, in their order, when all are there; one without
any Ask lets what was started begin. What one end is asked reaches it in the order in which it was asked for, whoever
asked. Small work is begun before big work, and goes on between its steps.
"""

from collections import deque
from collections.abc import Callable, Container, Generator, Sequence
from enum import IntEnum
from functools import partial
from typing import Final, NamedTuple, TypeVar

from devbox.faults import fault
from devbox.sync.core.entry import Side
from devbox.sync.endpoint import Answer, Chunk, Code, Endpoint, Gather, Plant, Put, Read, Request

REQUESTS: Final = 256  # that one end has not answered yet
AT_ONCE: Final = 4  # that an end is asked in one turn: this host does it there and then, and the other waits
BYTES: Final = 4 << 20  # of content on the way to or from one end
BEGUN: Final = 256  # small works at once
HELD: Final = 8 << 20  # bytes that they hold together
BIG: Final = 2  # big works at once
_TURN: Final = 64  # steps between two looks at what came in
_LONG: Final = 8  # so many of them is a step of a big work

T = TypeVar("T")


class Ask(NamedTuple):
    """One request. `take`: is called with the answer as it comes, which is then not kept for the list."""

    side: Side
    request: Request
    take: Callable[[Answer], None] | None = None


Work = Generator[Sequence[Ask], list[Answer], T]


class Rank(IntEnum):
    """Which work is begun first."""

    NOW = 0  # looks, and edits of what is there
    SOON = 1  # many new files, in their order
    BIG = 2  # what takes many steps


class EndLost(OSError):
    """An end of the session has gone."""

    def __init__(self, side: Side, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.side = side


def one(side: Side, request: Request) -> Work[Answer]:
    """Ask for one thing and return what came of it."""
    answers = yield [Ask(side, request)]
    return answers[0]


class _Running:
    __slots__ = ("answers", "missing", "rank", "weight", "work")

    def __init__(self, work: Work[None], rank: Rank, weight: int) -> None:
        self.work = work
        self.rank = rank
        self.weight = weight
        self.answers: list[Answer] | None = None  # None: it has not begun
        self.missing = 0


class _End:
    """What one end has been asked, and what it will be when there is room."""

    __slots__ = ("bytes", "descriptor", "endpoint", "left", "requests", "side", "waiting")

    def __init__(self, side: Side, endpoint: Endpoint) -> None:
        self.side = side
        self.endpoint = endpoint
        self.descriptor = endpoint.fileno()
        self.waiting: deque[tuple[Request, int, Callable[[Answer], None]]] = deque()
        self.requests = 0
        self.bytes = 0
        self.left = AT_ONCE

    @property
    def open(self) -> bool:
        return self.requests < REQUESTS and self.bytes < BYTES


class Pump:
    """Works over the two ends. `turn` does what can be done without waiting; `EndLost` if an end has gone."""

    def __init__(self, host: Endpoint, guest: Endpoint) -> None:
        self._host, self._guest = _End(Side.HOST, host), _End(Side.GUEST, guest)
        self.asked = 0  # requests to the guest so far
        self._queues: tuple[deque[_Running], ...] = (deque(), deque(), deque())
        self._ready: deque[_Running] = deque()
        self._begun = [0, 0, 0]
        self._held = 0

    def start(self, work: Work[None], rank: Rank = Rank.NOW, weight: int = 0) -> None:
        """Do this when its turn comes. `weight`: bytes that it will hold."""
        self._queues[rank].append(_Running(work, rank, weight))

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do and nothing to wait for."""
        return not any(self._begun) and not any(self._queues)

    @property
    def pending(self) -> int:
        """How many works are not done yet."""
        return sum(self._begun) + sum(len(queue) for queue in self._queues)

    @property
    def eager(self) -> bool:
        """Whether `turn` has something to do without anything coming in."""
        return (
            bool(self._ready) or any(end.open and end.waiting for end in (self._host, self._guest)) or self._startable()
        )

    def turn(self, readable: Container[int] | None = None) -> None:
        """Begin, send and take what can be, for a bounded time; from ends that are `readable`, if that is known."""
        self._host.left = AT_ONCE
        self._guest.left = REQUESTS
        self._go_on()
        for end in (self._host, self._guest):
            self._send(end)
            if readable is not None and end.descriptor not in readable:
                continue
            try:
                end.endpoint.process()
            except OSError as error:
                raise EndLost(end.side, error) from error
        if self._ready:
            self._go_on()

    def _go_on(self) -> None:
        left = _TURN
        while left > 0 and (self._begin() or self._ready):  # what begins now waits for no big work that never rests
            running = self._ready.popleft()
            self._step(running)
            left -= _LONG if running.rank is Rank.BIG else 1

    def close(self) -> None:
        """Leave all works where they are."""
        for running in (*self._ready, *(one for queue in self._queues for one in queue)):
            running.work.close()
        for queue in (*self._queues, self._ready):
            queue.clear()
        self._begun = [0, 0, 0]

    @property
    def _roomy(self) -> bool:
        return self._begun[Rank.SOON] < BEGUN and self._held < HELD

    def _startable(self) -> bool:
        now, soon, big = self._queues
        return bool(now or (soon and self._roomy) or (big and self._begun[Rank.BIG] < BIG))

    def _begin(self) -> bool:
        now, soon, big = self._queues
        if now:
            running = now.popleft()
        elif soon and self._roomy:
            running = soon.popleft()
        elif big and self._begun[Rank.BIG] < BIG:
            running = big.popleft()
        else:
            return False
        self._begun[running.rank] += 1
        self._held += running.weight
        if running.rank is Rank.NOW:
            self._ready.appendleft(running)
        else:
            self._ready.append(running)
        return True

    def _step(self, running: _Running) -> None:
        try:
            asks = next(running.work) if running.answers is None else running.work.send(running.answers)
        except StopIteration:
            self._begun[running.rank] -= 1
            self._held -= running.weight
            return
        running.answers = [_NOTHING] * len(asks)
        running.missing = len(asks)
        if not asks:
            self._ready.append(running)
        host, guest, answered = self._host, self._guest, self._answered
        for index, (side, request, take) in enumerate(asks):
            end = host if side is Side.HOST else guest
            weight = _weight(request)
            asked = (request, weight, partial(answered, running, index, end, weight, take))
            if type(request) is Gather:  # whoever reads can begin while this process goes on with all else
                end.waiting.appendleft(asked)
            else:
                end.waiting.append(asked)
        self._send(host)
        self._send(guest)

    def _send(self, end: _End) -> None:
        waiting = end.waiting
        while waiting and end.left and end.requests < REQUESTS and end.bytes < BYTES:
            end.left -= 1
            request, weight, done = waiting.popleft()
            end.requests += 1
            end.bytes += weight
            self.asked += end is self._guest
            try:
                fault("sync ask")
                end.endpoint.ask(request, done)
            except OSError as error:
                raise EndLost(end.side, error) from error

    def _answered(
        self,
        running: _Running,
        index: int,
        end: _End,
        weight: int,
        take: Callable[[Answer], None] | None,
        answer: Answer,
    ) -> None:
        fault("sync answered")
        end.requests -= 1
        end.bytes -= weight
        if take is None and running.answers is not None:
            running.answers[index] = answer
        elif take is not None:
            take(answer)
        running.missing -= 1
        if not running.missing:
            self._ready.append(running)


_NOTHING: Final = Answer(Code.FAILED)


def _weight(request: Request) -> int:
    kind = type(request)
    if kind is Put or kind is Chunk:
        return len(request.data)  # type: ignore[union-attr]
    if isinstance(request, Gather | Plant):
        return request.weight
    return request.length if kind is Read else 0  # type: ignore[union-attr]
