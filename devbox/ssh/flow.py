"""Bytes between a channel of the client and one of the agent: each goes no faster than the other takes it."""

import asyncio
from collections import deque
from typing import Any, Final, Protocol

HIGH: Final = 1024 * 1024  # bytes that wait in one direction before the other side is told to pause
LOW: Final = 256 * 1024


class Sink(Protocol):
    """Where the client's bytes go."""

    def write(self, data: bytes) -> None:
        """Take `data`."""

    async def drain(self) -> None:
        """Wait until more may be written."""

    def eof(self) -> None:
        """Take the end of it."""


class Channel(Protocol):
    """The part of asyncssh's channels that is used here."""

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """Send to the client."""

    def write_eof(self) -> None:
        """Send the end of it."""

    def pause_reading(self) -> None:
        """Let the client send no more."""

    def resume_reading(self) -> None:
        """Let it go on."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when to pause whoever writes."""

    def close(self) -> None:
        """End it, once all is sent."""

    def abort(self) -> None:
        """End it now."""


class Flow:
    """One channel of the client; mixed into asyncssh's sessions, whose callbacks it implements."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._ended = False  # the client sends no more
        self._paused = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    # asyncssh calls these

    def connection_made(self, chan: Any) -> None:  # noqa: ANN401 (one of several channel types)
        """Remember the channel."""
        self._channel = chan
        chan.set_write_buffer_limits(HIGH, LOW)

    def session_started(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 (asyncssh's signature)
        """Keep what the client sent until the agent takes it."""
        self._waiting.append(data)
        self._held += len(data)
        if self._held > HIGH and not self._paused and self._channel:
            self._paused = True
            self._channel.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        """The client sends no more, but may still receive."""
        self._ended = True
        self._news.set()
        return True

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncssh's signature)
        """The channel is over: so is what it was for."""
        self._channel = None
        self._writable.set()
        if self._task:
            self._task.cancel()

    # for those who mix it in

    async def _run(self) -> None:
        raise NotImplementedError

    async def _pass_in(self, sink: Sink) -> None:
        """Pass on what the client sends, and its end, until then."""
        while True:
            while self._waiting:
                data = self._waiting.popleft()
                sink.write(data)
                await sink.drain()
                self._held -= len(data)
                if self._paused and self._held <= LOW and self._channel:
                    self._paused = False
                    self._channel.resume_reading()
            if self._ended:
                sink.eof()
                return
            self._news.clear()
            await self._news.wait()

    async def _pass_out(self, data: bytes, datatype: int | None = None) -> None:
        """Send to the client, when it can take it."""
        if not self._writable.is_set():
            await self._writable.wait()
        if self._channel:
            self._channel.write(data, datatype)
