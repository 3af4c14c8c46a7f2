"""The channels of `mux.AgentMux`: processes and connections, with credit both ways. For asyncio, in one loop.

A channel holds what has come and nobody has read: at most `WINDOW` bytes, for the agent sends no more unasked. What
is written and cannot be sent yet waits in the channel, too; `drain` is how a writer keeps that small.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from devbox.agent import wire
from devbox.agent.client import StartError
from devbox.agent.wire import WireError

WINDOW: Final = 128 * 1024  # bytes
_WAITING_MAX: Final = 64 * 1024  # bytes that wait to be sent, beyond which `drain` waits
_ACCEPTED_MAX: Final = 1024  # connections that came in and that nobody has taken
_OUTPUT: Final = {wire.DATA: 1, wire.STDOUT: 1, wire.STDERR: 2}


class Link(Protocol):
    """The connection that the channels share."""

    def send(self, data: bytes) -> None:
        """Send a frame that needs no credit."""

    def push(self, channel: "Channel") -> None:
        """Let the channel send when its turn comes."""

    def forget(self, channel: "Channel") -> None:
        """The channel has ended."""

    def accepted(self, number: int) -> "MuxChannel":
        """Return the channel of a connection that came in, by the number that the agent has given it."""


class Channel:
    """What all channels have in common. One task may read while another writes; all waiting can be cancelled."""

    def __init__(self, link: Link, number: int) -> None:
        self.number = number
        self._link = link
        self._incoming: deque[tuple[int, bytes]] = deque()
        self._outgoing: deque[memoryview] = deque()
        self._waiting = 0  # bytes in there
        self._credit = wire.CREDIT  # bytes that may be sent
        self._window = WINDOW  # bytes that may still come
        self._taken = 0  # bytes that were read and have not been asked for anew
        self._eof_wanted = self._eof_said = self._eof_come = False
        self._started: int | None = None
        self._is_over = False  # the agent has ended it, or the connection has
        self._is_left = False  # we have
        self._error: Exception | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    # what its user does

    @property
    def over(self) -> bool:
        """Whether the agent has ended it, or the agent has gone."""
        return self._is_over

    async def begin(self) -> None:
        """Wait for STARTED; whoever is cancelled or fails here has left the channel."""
        try:
            await self._until(lambda: self._started is not None)
        finally:
            if self._started is None:
                self.close()
        if self._started is None:
            raise self._error or ConnectionError("the agent ended what it was to start")

    def write(self, data: bytes) -> None:
        """Take `data`; a no-op when nobody reads it any more."""
        if self._is_over or self._is_left or self._eof_wanted or not data:
            return
        self._outgoing.append(memoryview(data))
        self._waiting += len(data)
        self._link.push(self)

    async def drain(self) -> None:
        """Return when more can be written; its error if it has ended by one, a `ConnectionError` if the agent has."""
        await self._until(lambda: self._waiting < _WAITING_MAX)
        if self._error and not self._is_left:
            raise self._error

    def eof(self) -> None:
        """Write no more; reading goes on."""
        if not self._eof_wanted:
            self._eof_wanted = True
            self._link.push(self)

    def close(self) -> None:
        """Leave it; may be called again."""
        if self._is_left:
            return
        self._is_left = True
        self._incoming.clear()
        self._outgoing.clear()
        self._waiting = 0
        if not self._is_over:
            self._link.send(wire.frame(wire.CLOSE, self.number))
        self._wake()

    async def _take(self) -> tuple[int, bytes] | None:
        """Return the next that has come; None at the end, and its error if it has one."""
        await self._until(lambda: bool(self._incoming) or self._eof_come)
        if not self._incoming:
            if self._error and not self._is_left and not self._eof_come:
                raise self._error
            return None
        stream, data = self._incoming.popleft()
        self._taken += len(data)
        if self._taken >= WINDOW // 2 and not self._is_over:
            self._link.send(wire.window(self.number, self._taken))
            self._window += self._taken
            self._taken = 0
        return stream, data

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, or the channel has ended."""
        while not (condition() or self._is_over or self._is_left):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    # what the link does

    def pump(self) -> bool:
        """Send one frame, if there is one and credit for it; return whether there may be another."""
        if self._is_over or self._is_left:
            return False
        if not self._outgoing:
            if self._eof_wanted and not self._eof_said:
                self._eof_said = True
                self._link.send(wire.frame(wire.EOF, self.number))
            return False
        piece = self._next_piece()
        if not piece:
            return False
        self._credit -= len(piece)
        self._waiting -= len(piece)
        self._link.send(wire.frame(wire.DATA, self.number, piece))
        self._wake()
        return True

    def _next_piece(self) -> memoryview:
        """Take as much of the first piece as may be sent."""
        first = self._outgoing.popleft()
        count = min(len(first), self._credit, wire.PAYLOAD_MAX)
        if count < len(first):
            self._outgoing.appendleft(first[count:])
        return first[:count]

    def take(self, kind: int, payload: memoryview) -> None:
        """Act on a frame; `WireError` if it cannot come here now."""
        if kind == wire.WINDOW:
            self._credit = min(self._credit + wire.parse_window(payload), wire.CREDIT_MAX)
            self._link.push(self)
        elif kind == wire.STARTED and self._started is None:
            self._started = wire.parse_started(payload)
            self.on_started()
        elif kind == wire.FAILED and self._started is None:
            self.end(StartError(*wire.parse_failed(payload)))
        elif kind in _OUTPUT and self._started is not None:
            self._receive(_OUTPUT[kind], payload)
        elif kind == wire.EOF and self._started is not None:
            self._eof_come = self.ends_by_eof
        elif kind == wire.CLOSED and (self._started is not None or self._is_left):
            number = wire.parse_closed(payload)
            self.end(OSError(number, os.strerror(number)) if number else None)
        else:
            self.take_other(kind, payload)
        self._wake()

    ends_by_eof = True  # whether the agent's EOF is all that a reader waits for

    def on_started(self) -> None:
        """Do what is to be done when it has started."""

    def take_other(self, kind: int, payload: memoryview) -> None:  # noqa: ARG002 (for those who know more)
        """Act on a frame that not all channels have."""
        raise WireError(f"type {kind:#x} at this time")

    def _receive(self, stream: int, payload: memoryview) -> None:
        self._window -= len(payload)
        if self._window < 0 or self._eof_come:
            raise WireError("more than was asked for")
        if payload and not self._is_left:
            self._incoming.append((stream, bytes(payload)))

    def end(self, error: Exception | None) -> None:
        """It is over, for this reason if for any."""
        if self._is_over:
            return
        self._is_over = True
        self._error = error
        self._outgoing.clear()
        self._link.forget(self)
        self._wake()


class MuxChannel(Channel):
    """A connection to or from something inside."""

    async def read(self) -> bytes:
        """Return what has come, with UDP one datagram; b"" at the end.

        `OSError` if it ended otherwise than it should, a `ConnectionError` if the agent has gone.
        """
        found = await self._take()
        return found[1] if found else b""

    async def finished(self) -> None:
        """Wait until both directions have ended and all that was written is there; or until it is over otherwise."""
        await self._until(lambda: False)


class DatagramChannel(MuxChannel):
    """A UDP flow: what finds no room is dropped, and each `write` is one datagram."""

    def write(self, data: bytes) -> None:
        """Send a datagram, or drop it."""
        if len(data) <= wire.DATAGRAM_MAX and self._waiting + len(data) <= wire.CREDIT:
            super().write(data)

    def _next_piece(self) -> memoryview:
        if len(self._outgoing[0]) > self._credit:
            return memoryview(b"")
        return self._outgoing.popleft()


class MuxProcess(Channel):
    """A process inside. Iterating yields `(1 stdout | 2 stderr, bytes)` until it has ended."""

    ends_by_eof = False
    status: int | None = None
    ended_by = 0  # the signal that ended it

    def __init__(self, link: Link, number: int, *, detached: bool = False) -> None:
        super().__init__(link, number)
        self._detached = detached

    @property
    def pid(self) -> int:
        """Its number inside; 0 where there is none."""
        return self._started or 0

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        while found := await self._take():
            yield found

    async def wait(self) -> int:
        """Wait for its end, while somebody reads what it writes; 128 and the signal if one ended it."""
        await self._until(lambda: self.status is not None)
        if self.status is None:
            raise self._error or ConnectionError("the process was left")
        return self.status

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the size."""
        self._tell(wire.resize(self.number, rows, columns))

    def signal(self, number: int) -> None:
        """Send signal `number` to it and its children; a no-op when it has gone."""
        self._tell(wire.signal(self.number, number))

    def _tell(self, data: bytes) -> None:
        if not self._is_over and not self._is_left:
            self._link.send(data)

    def on_started(self) -> None:
        """What is detached is over for us."""
        if self._detached:
            self.status = 0
            self.end(None)

    def take_other(self, kind: int, payload: memoryview) -> None:
        """Act on EXIT."""
        if kind != wire.EXIT:
            super().take_other(kind, payload)
        self.ended_by = wire.parse_exit(payload)[1]
        self.status = wire.exit_status(payload)
        self.end(None)


class MuxListener(Channel):
    """A socket inside that the agent listens on. Iterating yields `(channel, peer's address, peer's port)`."""

    def __init__(self, link: Link, number: int) -> None:
        super().__init__(link, number)
        self._accepted: deque[tuple[MuxChannel, str, int]] = deque()

    @property
    def port(self) -> int:
        """The port inside; 0 for a path."""
        return self._started or 0

    async def __aiter__(self) -> AsyncIterator[tuple[MuxChannel, str, int]]:
        while True:
            await self._until(lambda: bool(self._accepted))
            if self._accepted:
                yield self._accepted.popleft()
            elif self._error:
                raise self._error
            else:
                return

    def offer(self, number: int, host: str, port: int) -> None:
        """Take a connection that came in; one too many is refused."""
        channel = self._link.accepted(number)
        if self._is_left or len(self._accepted) >= _ACCEPTED_MAX:
            channel.close()
        else:
            self._accepted.append((channel, host, port))
            self._wake()

    def close(self) -> None:
        """Listen no more; what was taken goes on."""
        super().close()
        while self._accepted:
            self._accepted.popleft()[0].close()


class Question(Channel):
    """One question; the answer ends it."""

    answer: memoryview | None = None

    def __init__(self, link: Link, number: int, kind: int) -> None:
        super().__init__(link, number)
        self._kind = kind

    async def answered(self) -> memoryview:
        """Wait for the answer."""
        await self._until(lambda: self.answer is not None)
        if self.answer is None:
            raise self._error or ConnectionError("the agent did not answer")
        return self.answer

    def take_other(self, kind: int, payload: memoryview) -> None:
        """Act on the answer."""
        if kind != self._kind:
            super().take_other(kind, payload)
        self.answer = memoryview(bytes(payload))
        self.end(None)

    def close(self) -> None:
        """Nothing: a question is answered at once."""
