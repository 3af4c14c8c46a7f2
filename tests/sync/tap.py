"""An end of a SyncSession that can be looked at, be held up, be cut off, and be made to lie."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from devbox.sync.core.entry import Side
from devbox.sync.endpoint import (
    Answer,
    Chunk,
    Commit,
    Endpoint,
    Event,
    Identity,
    List,
    MakeDirectory,
    MakeLink,
    Plant,
    Put,
    Read,
    Remove,
    Rename,
    Request,
    SetExecutable,
)
from tests.sync.lies import EventLie, Lie

WRITES = (Put, Plant, Commit, MakeDirectory, MakeLink, Remove, Rename, SetExecutable)


class Tap:
    """What both ends of a session were asked since the last `clear`, and what is done about it."""

    def __init__(self) -> None:
        self.before_write: Callable[[], object] | None = None  # once, before the next change of the guest
        self.lie: Lie | None = None  # instead of what the guest answers
        self.event_lie: EventLie | None = None  # instead of what it tells
        self.lied = 0  # so often was it another thing than the truth
        self.watches = 1 << 30  # that the guest has
        self.free = threading.Event()
        self.free.set()
        self._cut = -1
        self.was_cut = False
        self.clear()

    def clear(self) -> None:
        """Begin to count anew."""
        self.requests = self.writes = 0
        self.bytes = 0  # of content, to and from the guest
        self.paths: set[bytes] = set()
        self.puts: list[tuple[bytes, int]] = []  # whole files, each with its size

    def cut_at(self, request: int) -> None:
        """Cut the line to the guest at this request from now on."""
        self._cut, self.was_cut = request, False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the session stand still."""
        self.free.clear()
        try:
            yield
        finally:
            self.free.set()

    def count(self, side: Side, request: Request) -> bool:
        """Note a request; whether the line is to be cut before it."""
        self.requests += 1
        self.writes += isinstance(request, WRITES)
        self.paths.add(getattr(request, "path", b""))
        self.puts += [(request.path, len(request.data))] if isinstance(request, Put) else []
        if side is Side.HOST:
            return False
        self.bytes += len(request.data) if isinstance(request, Put | Chunk) else 0
        self.bytes += sum(len(one.data) for one in request.files) if isinstance(request, Plant) else 0
        if self._cut > 0:
            self._cut -= 1
            self.was_cut = self._cut == 0
            return self.was_cut
        return False

    def answer(self, side: Side, request: Request, answer: Answer) -> Answer:
        """Note an answer, or have another one in its place."""
        if side is Side.HOST:
            return answer
        self.bytes += len(answer.data) if isinstance(request, Read) else 0
        if isinstance(request, List) and request.watch and answer.watch >= 0:
            self.watches -= 1
            answer = answer._replace(watch=-1) if self.watches < 0 else answer
        said = self.lie(request, answer) if self.lie else answer
        self.lied += said != answer
        return said

    def told(self, side: Side, events: Iterator[Event]) -> Iterator[Event]:
        """Pass events on, or others in their place."""
        if side is Side.HOST or self.event_lie is None:
            return events
        honest = list(events)
        said = [other for event in honest for other in self.event_lie(event)]
        self.lied += said != honest
        return iter(said)


class Tapped:
    """An `Endpoint` through a Tap. `kill` ends what is behind it."""

    def __init__(self, end: Endpoint, side: Side, tap: Tap, kill: Callable[[], object]) -> None:
        self._end = end
        self._side = side
        self._tap = tap
        self._kill = kill
        self._gone = False

    @property
    def identity(self) -> Identity:
        return self._end.identity

    @property
    def holds(self) -> bool:
        return self._end.holds

    def has_told(self, told: bytes) -> bool:
        return self._end.has_told(told)

    def fileno(self) -> int:
        return self._end.fileno()

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        self._tap.free.wait()
        self._require()
        if self._tap.count(self._side, request):
            self._gone = True
            self._kill()
            self._require()
        if self._side is Side.GUEST and isinstance(request, WRITES):
            hook, self._tap.before_write = self._tap.before_write, None
            if hook:
                hook()
        self._end.ask(request, lambda answer: done(self._tap.answer(self._side, request, answer)))

    def process(self) -> None:
        self._tap.free.wait()
        self._require()
        self._end.process()

    def events(self) -> Iterator[Event]:
        return self._tap.told(self._side, self._end.events())

    def close(self) -> None:
        self._end.close()

    def _require(self) -> None:
        if self._gone:
            raise ConnectionResetError("the line was cut")
