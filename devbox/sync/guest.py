"""The guest's end of a SyncSession: its agent's sync program, spoken to over a session of the agent.

Requests are sent before those before them are answered, but never more than the guest has room for: it reads them
also while its answers are not read, so neither ever waits for the other. All that is wrong with it is `GuestLost`.
"""

import os
import select
import selectors
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from devbox.agent.client import AgentError
from devbox.agent.fields import WireError
from devbox.agent.session import start
from devbox.agent.transport import Transport
from devbox.agent.wire import FLAG_STDIN, FLAG_SYNC, ExecMessage
from devbox.sync import wire, wire_many
from devbox.sync.endpoint import (
    Answer,
    Barrier,
    Code,
    Event,
    Found,
    Gather,
    Hash,
    Identity,
    List,
    Plant,
    Read,
    Request,
    Settle,
    Stat,
)
from devbox.sync.many import ask_each
from devbox.sync.wire_many import NUMBERS, Planted

PATIENCE: Final = 10.0  # seconds for its first word
_EAGER: Final = 8  # with fewer requests unanswered, one is sent at once; else with those that come after it
_BATCH: Final = 48 * 1024  # bytes that are sent together then
_TURNS: Final = 16  # of receiving in one `process`
_MORE: Final = 16 * 1024  # bytes at once, after which more is likely to be here; the descriptor tells of the rest
_EVENTS_MAX: Final = 1 << 17  # that may lie here; whoever does not fetch them must look at everything
_CONTENTS_MAX: Final = 1 << 20  # bytes of content that may lie here with them
_LOOKS: Final = (Stat, List, Read, Hash, Barrier, Settle)
_STDOUT: Final = 1
_DIGEST: Final = 32  # bytes
_TOLD: Final = struct.Struct("<II")
_WRAPS: Final = 1 << 32  # where the agent's count begins anew
_EVERYTHING: Final = Event(-1, b"")


class GuestLost(ConnectionError):
    """The guest's end is gone, or does not keep to its protocol; the text is lower-case and fit for a terminal."""


class Stream(Protocol):
    """A running sync program, as `agent.session.AgentSession` has it."""

    @property
    def pending(self) -> bool:
        """Whether there is something that `fileno` does not tell of."""

    @property
    def pid(self) -> int:
        """The program's number inside."""

    @property
    def room(self) -> int:
        """How many bytes `send` takes without waiting; when there is more, `fileno` tells."""

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""

    def receive_ready(self) -> list[tuple[int, bytes]] | None:
        """Return the `(1 stdout | 2 stderr, bytes)` that are here, without waiting; None at the end."""

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin."""

    def close(self) -> None:
        """Leave it."""


def open_guest(transport: Transport, identity: str, *, user: str, root: str) -> "GuestEndpoint":
    """Start the sync program in `root`, as `user`. Owns `transport` from now on.

    `AgentError` if the agent cannot start it; `OSError` if the root cannot be used.
    """
    message = ExecMessage((root,), user=user, flags=FLAG_SYNC | FLAG_STDIN)
    return GuestEndpoint(start(transport, identity, message))


class _Asked:
    """A request on its way, and what has come of its answer."""

    __slots__ = ("_bytes", "_data", "_found", "_same", "_watch", "done", "request", "size", "verb")

    def __init__(self, request: Request, done: Callable[[Answer], None], size: int) -> None:
        self.request, self.done, self.size = request, done, size
        self.verb = wire.verb(request) | wire.ANSWER
        self._found: list[Found] = []
        self._same: list[bytes] = []
        self._data: list[bytes] = []
        self._bytes = 0
        self._watch = 0

    def hear(self, part: wire.Part) -> None:
        """Take what has come of it."""
        if isinstance(self.request, List):
            watch, found = wire.parse_list(part.body, self.request.known, self._same)
            self._watch = watch
            self._found += found
            self._bytes += len(part.body)
            if len(self._found) + len(self._same) > wire.ENTRIES_MAX:
                raise WireError(f"a directory of more than {wire.ENTRIES_MAX} names")
            if self._bytes > wire.LIST_MAX:
                raise WireError(f"a directory whose names take more than {wire.LIST_MAX} bytes")
        elif isinstance(self.request, Read | Hash):
            self._data.append(bytes(part.body))
            self._bytes += len(part.body)
            if self._bytes > _most(self.request):
                raise WireError("more than was asked for")
        elif not isinstance(self.request, Stat) or part.more or not part.answer.stamp:
            raise WireError("an answer that is too long")
        else:
            self._data.append(wire.link_target(part.body))

    def whole(self, answer: Answer) -> Answer:
        """Return all of it; `answer` is what its last part says."""
        if isinstance(self.request, Stat) and answer.stamp:
            found = Found(b"", answer.stamp, b"".join(self._data))
            return answer._replace(stamp=None, found=(found,))
        if answer.code is not Code.DONE:
            return answer
        if isinstance(self.request, List):
            return answer._replace(found=tuple(self._found), watch=self._watch, same=tuple(self._same))
        if isinstance(self.request, Hash) and self._bytes != _most(self.request):
            raise WireError("digests of another length")
        return answer._replace(data=b"".join(self._data)) if self._data else answer


def _most(request: Read | Hash) -> int:
    """Return how many bytes there are to answer at most."""
    if isinstance(request, Read):
        return request.length
    blocks = -(-request.expected.size // request.block) if request.block else 1
    return blocks * _DIGEST


class GuestEndpoint:
    """An `Endpoint`. `stream` is its own from now on; waits for the guest's first word."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = wire.Frames()
        self._asked: deque[_Asked | Planted] = deque()  # not answered, in their order
        self._queue: deque[bytes] = deque()  # the last of those, not sent
        self._queued = 0  # bytes of them
        self._going = memoryview(b"")  # the rest of what is going out
        self._flying = 0  # bytes sent and not answered
        self._number = 0  # of the request that was asked last
        self._answered = 0
        self._heard = 0  # bytes
        self._events: dict[tuple[int, bytes], Event] = {}  # the same is told once, as it was the last time
        self._contents = 0  # bytes of content in them
        self._inside = False  # `process`, or a `done` that it calls
        self._identity: Identity | None = None
        self._failure: GuestLost | None = None
        self._is_woken = False
        self._woken, self._wake = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._waiting = select.poll()
        self._waiting.register(stream.fileno(), select.POLLIN)
        try:
            self._selector.register(stream.fileno(), selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            self._await_hello()
        except BaseException:
            self.close()
            raise

    @property
    def identity(self) -> Identity:
        """What root it has."""
        assert self._identity
        return self._identity

    def fileno(self) -> int:
        """A descriptor that is readable when `process` has something to do."""
        return self._selector.fileno()

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Do this; `done` is called from a later `process`, or at once. What there is no room for goes out later.

        Whoever asks bounds what is on its way: a guest that does not go on would be waited for without end here.
        """
        self._check()
        if isinstance(request, Gather):
            ask_each(request, self.ask, done)
            return
        try:
            data = self._encoded(request, done)
        except ValueError:
            done(Answer(Code.REFUSED))
            return
        self._queue.append(data)
        self._queued += len(data)
        if self._inside:
            return  # what is asked in a `done` goes out when all that has come is taken
        if len(self._asked) <= _EAGER or self._queued >= _BATCH:
            self._send()
        self._remember()

    def _encoded(self, request: Request, done: Callable[[Answer], None]) -> bytes:
        asked: _Asked | Planted
        if isinstance(request, Plant):
            data = wire_many.encode(self._number, request)
            asked, count = Planted(request, done, len(data)), len(request.files)
        else:
            data = wire.encode(self._number % NUMBERS + 1, request)
            asked, count = _Asked(request, done, len(data)), 1
        self._asked.append(asked)
        self._number = (self._number + count - 1) % NUMBERS + 1
        return data

    def process(self) -> None:
        """Take what has come, without waiting: call `done`s, gather events."""
        self._check()
        if self._is_woken:
            os.read(self._woken, 1)
            self._is_woken = False
        for _ in range(_TURNS):
            if self._take() < _MORE:
                break
        self._remember()

    def events(self) -> Iterator[Event]:
        """Take the events that have come, in their order."""
        found, self._events, self._contents = self._events, {}, 0
        return iter(found.values())

    @property
    def holds(self) -> bool:
        """Nothing on this side of the connection: what the program holds back it says to the agent."""
        return False

    def has_told(self, told: bytes) -> bool:
        """Whether all has come that this very program had told, as the agent says (`agent.wire.exit_told`)."""
        pid, count = _TOLD.unpack(told)
        return bool(pid == self._stream.pid and (self._heard - count) % _WRAPS < _WRAPS // 2)

    def close(self) -> None:
        """Give it back."""
        if self._woken < 0:
            return
        self._failure = self._failure or GuestLost("the guest's end was closed")
        self._stream.close()
        self._selector.close()
        os.close(self._woken)
        os.close(self._wake)
        self._woken = -1

    def _check(self) -> None:
        if self._failure:
            raise self._failure

    def _lose(self, error: Exception) -> GuestLost:
        text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        self._failure = GuestLost(f"the sync program does not go on: {text}")
        return self._failure

    def _remember(self) -> None:
        """Let the descriptor tell of what was read already and is not taken; events are, and wait for their taker."""
        if not self._is_woken and self._woken >= 0 and self._stream.pending:
            os.write(self._wake, b"!")
            self._is_woken = True

    def _send(self) -> None:
        """Send of the queue what there is room for, and never wait for more: a guest may have stopped for good."""
        pieces: list[memoryview] = []
        room = self._stream.room
        while room > 0 and (self._going or self._goes_next()):
            pieces.append(self._going[:room])
            self._going = self._going[room:]
            room -= len(pieces[-1])
        try:
            if pieces:
                self._stream.send(b"".join(pieces))
        except (OSError, AgentError) as error:
            raise self._lose(error) from error

    def _goes_next(self) -> bool:
        """Take the next one out of the queue, if the guest has room for it."""
        if not self._queue or self._flying + len(self._queue[0]) > wire.WINDOW:
            return False
        data = self._queue.popleft()
        self._queued -= len(data)
        self._flying += len(data)
        self._going = memoryview(data)
        return True

    def _take(self) -> int:
        """Take what is here, and send what there is room for by that; return how many bytes it was."""
        try:
            received = self._stream.receive_ready()
        except (OSError, AgentError) as error:
            raise self._lose(error) from error
        if received is None:
            raise self._lose(EOFError("it has ended"))
        self._inside = True
        try:
            for number, data in received:
                if number == _STDOUT:
                    self._hear(data)
        except WireError as error:
            raise self._lose(error) from error
        finally:
            self._inside = False
        self._send()
        count = sum(len(data) for _, data in received)
        self._heard += count
        return count

    def _hear(self, data: bytes) -> None:
        for number, verb, payload in self._frames.feed(data):
            if number:
                self._hear_answer(number, verb, payload)
            elif verb == wire.EVENTS and self._identity:
                self._hear_events(wire.parse_events(payload))
            elif verb == wire.FILE and self._identity:
                self._hear_file(wire.parse_file(payload))
            elif verb == wire.HELLO and not self._identity:
                self._hear_hello(payload)
            else:
                raise WireError(f"verb {verb} at this time")

    def _hear_events(self, events: list[Event]) -> None:
        if len(self._events) + len(events) > _EVENTS_MAX:
            events = [_EVERYTHING]
            self._events.clear()
        for event in events:
            self._events[event[:2]] = event

    def _hear_file(self, event: Event) -> None:
        self._contents += len(event.data)
        self._hear_events([event if self._contents <= _CONTENTS_MAX else Event(event.watch, event.name)])

    def _hear_hello(self, payload: memoryview) -> None:
        version, errno, identity = wire.parse_hello(payload)
        if version != wire.VERSION:
            raise WireError(f"version {version}, not {wire.VERSION}")
        if errno:
            self._failure = GuestLost(errno, f"the directory cannot be used: {os.strerror(errno)}")
            raise self._failure
        self._identity = identity

    def _await_hello(self) -> None:
        end = time.monotonic() + PATIENCE
        self._take()
        while self._identity is None:
            left = end - time.monotonic()
            if left <= 0 or not self._waiting.poll(left * 1000):
                raise self._lose(TimeoutError(f"it says nothing within {PATIENCE:.0f} s"))
            self._take()

    def _forget_contents(self) -> None:
        """What came before an answer to a change may be from before the change."""
        self._events = {key: Event(*key) for key in self._events}
        self._contents = 0

    def _hear_answer(self, number: int, verb: int, payload: memoryview) -> None:
        if not self._asked or len(self._asked) <= len(self._queue):
            raise WireError("an answer that nobody asked for")
        asked = self._asked[0]
        if number != self._answered % NUMBERS + 1 or verb != asked.verb:
            raise WireError(f"an answer to {number} of verb {verb} out of order")
        if isinstance(asked, Planted):
            self._answered = number
            if self._contents:
                self._forget_contents()
            if asked.hear(payload):
                self._asked.popleft()
                self._flying -= asked.size
                asked.done(asked.whole())
            return
        part = wire.parse_part(payload)
        if part.more or part.body:
            asked.hear(part)
        if part.more:
            return
        self._asked.popleft()
        self._answered = number
        if self._contents and not isinstance(asked.request, _LOOKS):
            self._forget_contents()
        self._flying -= asked.size
        asked.done(asked.whole(part.answer))
