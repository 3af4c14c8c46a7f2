"""Work on both ends at once: generators that ask and are told, with a bounded number of requests and bytes on the way.

A Work yields a list of Asks and is sent the list of their Answers, in their order, when all are there. What one end
is asked reaches it in the order in which it was asked for, whoever asked. Small work is begun before big work, and
goes on between its steps.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from enum import IntEnum
from functools import partial
from typing import Final, NamedTuple, TypeVar

from devbox.faults import fault
from devbox.sync.core.entry import Side
from devbox.sync.endpoint import Answer, Chunk, Code, Endpoint, Put, Read, Request

REQUESTS: Final = 256  # that one end has not answered yet
BYTES: Final = 4 << 20  # of content on the way to or from one end
BEGUN: Final = 256  # small works at once
HELD: Final = 8 << 20  # bytes that they hold together
BIG: Final = 2  # big works at once
_TURN: Final = 64  # requests between two looks at what came in

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

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.waiting: deque[tuple[Request, int, Callable[[Answer], None]]] = deque()
        self.requests = 0
        self.bytes = 0

    @property
    def open(self) -> bool:
        return self.requests < REQUESTS and self.bytes < BYTES


class Pump:
    """Works over the two ends. `turn` does what can be done without waiting; `EndLost` if an end has gone."""

    def __init__(self, host: Endpoint, guest: Endpoint) -> None:
        self.ends = {Side.HOST: _End(host), Side.GUEST: _End(guest)}
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
        return bool(self._ready) or any(end.open and end.waiting for end in self.ends.values()) or self._startable()

    def turn(self) -> None:
        """Begin, send and take what can be, for a bounded time."""
        for _ in range(_TURN):
            if not self._ready and not self._begin():
                break
            self._step(self._ready.popleft())
            self._send()
        self._send()
        for side, end in self.ends.items():
            try:
                end.endpoint.process()
            except OSError as error:
                raise EndLost(side, error) from error

    def close(self) -> None:
        """Leave all works where they are."""
        for running in (*self._ready, *(one for queue in self._queues for one in queue)):
            running.work.close()
        for queue in (*self._queues, self._ready):
            queue.clear()
        self._begun = [0, 0, 0]

    def _startable(self) -> bool:
        now, soon, big = self._queues
        small = self._begun[Rank.SOON] < BEGUN and self._held < HELD
        return bool(now) or (bool(soon) and small) or (bool(big) and self._begun[Rank.BIG] < BIG)

    def _begin(self) -> bool:
        if not self._startable():
            return False
        now, soon, big = self._queues
        small = self._begun[Rank.SOON] < BEGUN and self._held < HELD
        running = now.popleft() if now else soon.popleft() if soon and small else big.popleft()
        self._begun[running.rank] += 1
        self._held += running.weight
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
        for index, (side, request, take) in enumerate(asks):
            weight = _weight(request)
            done = partial(self._answered, running, index, self.ends[side], weight, take)
            self.ends[side].waiting.append((request, weight, done))

    def _send(self) -> None:
        for side, end in self.ends.items():
            while end.waiting and end.open:
                request, weight, done = end.waiting.popleft()
                end.requests += 1
                end.bytes += weight
                self.asked += side is Side.GUEST
                try:
                    fault("sync ask")
                    end.endpoint.ask(request, done)
                except OSError as error:
                    raise EndLost(side, error) from error

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
    if isinstance(request, Put | Chunk):
        return len(request.data)
    return request.length if isinstance(request, Read) else 0
