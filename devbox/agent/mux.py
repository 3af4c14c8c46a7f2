"""Many processes and connections over one connection to an agent, for asyncio: the Supervisor's and the ssh front's.

No channel holds up another: the agent sends on each only as much as was asked for, so the connection is always read,
and what goes out takes turns, frame by frame.
"""

import asyncio
import contextlib
import socket
from typing import Final, TypeVar

from devbox.agent import wire
from devbox.agent.channels import (
    WINDOW,
    Channel,
    DatagramChannel,
    MuxChannel,
    MuxListener,
    MuxProcess,
    Question,
)
from devbox.agent.client import PATIENCE, AgentError, NoAgent, open_socket, welcome
from devbox.agent.protocol import ExecMessage, GuestSession, Listener, parse_listeners, parse_sessions
from devbox.agent.wire import Hello, WireError

__all__ = ["AgentMux", "MuxChannel", "MuxListener", "MuxProcess"]

_ENDED: Final = "the connection to the agent ended"
_BUFFER: Final = 256 * 1024  # bytes that are received at once, and that may wait to be sent
_CHANNELS_MAX: Final = 4096  # that may be open when the agent opens one more
_Opened = TypeVar("_Opened", bound=Channel)


class AgentMux(asyncio.BufferedProtocol):
    """A connection to an agent. Made by `open`; of one loop.

    When the agent goes, `closed` is set and all that waits on a channel ends with a `ConnectionError`.
    """

    def __init__(self, identity: str) -> None:
        self.closed = asyncio.Event()
        self._identity = identity
        self._loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[Hello] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._decoder = wire.Decoder()
        self._buffer = bytearray(_BUFFER)
        self._channels: dict[int, Channel] = {}
        self._last = 0  # the channel that was opened last
        self._turns: dict[Channel, None] = {}  # those that have something to send, in their order
        self._paused = False
        self._failure: Exception | None = None

    @classmethod
    async def open(cls, path: str, identity: str) -> "AgentMux":
        """Connect to the agent at `path`; `NoAgent` and `OtherAgent` as `client.hello`, within 5 s."""
        connected = socket.socket(fileno=open_socket(path).detach())
        try:
            connected.settimeout(0)
            mux = cls(identity)
            await mux._loop.create_unix_connection(lambda: mux, sock=connected)
        except BaseException:
            connected.close()
            raise
        try:
            async with asyncio.timeout(PATIENCE):
                await mux._hello
        except TimeoutError:
            await mux.close()
            raise NoAgent(f"the agent does not answer within {PATIENCE:.0f} s") from None
        except BaseException:
            await mux.close()
            raise
        return mux

    @property
    def hello(self) -> Hello:
        """How the agent introduced itself."""
        return self._hello.result()

    async def execute(self, message: ExecMessage) -> MuxProcess:
        """Start a process; `StartError` if it cannot be, `ValueError` if `message` cannot be said."""
        detached = bool(message.flags & wire.FLAG_DETACH)
        number = self._number()
        request = wire.exec_(number, message, window=WINDOW)
        return await self._begun(MuxProcess(self, number, detached=detached), request)

    async def connect(self, kind: int, host: str, port: int) -> MuxChannel:
        """Connect to a port (`wire.TCP`, `wire.UDP`) or socket (`wire.UNIX`) inside; `StartError` if it refuses."""
        number = self._number()
        request = wire.connect(number, kind, host, port, window=WINDOW)
        made = DatagramChannel(self, number) if kind == wire.UDP else MuxChannel(self, number)
        return await self._begun(made, request)

    async def listen(self, kind: int, host: str, port: int, *, user: str, private: bool = False) -> MuxListener:
        """Listen inside; `private` makes the path's directory first. `StartError` if it cannot be."""
        number = self._number()
        flags = wire.LISTEN_DIRECTORY if private else 0
        request = wire.listen(number, kind, host, port, user=user, flags=flags, window=WINDOW)
        return await self._begun(MuxListener(self, number), request)

    async def listeners(self) -> tuple[Listener, ...]:
        """Return the sockets inside that take connections."""
        return parse_listeners(await self._ask(wire.LISTENERS))

    async def sessions(self) -> tuple[GuestSession, ...]:
        """Return what runs inside by order of some client."""
        return parse_sessions(await self._ask(wire.SESSIONS))

    async def close(self) -> None:
        """End the connection, and with it all that is not detached."""
        if self._transport:
            self._transport.abort()
            await self.closed.wait()

    async def _ask(self, kind: int) -> memoryview:
        question = Question(self, self._number(), kind)
        self._open(question, wire.frame(kind, question.number))
        return await question.answered()

    async def _begun(self, channel: _Opened, request: bytes) -> _Opened:
        self._open(channel, request)
        await channel.begin()
        return channel

    def _open(self, channel: Channel, request: bytes) -> None:
        if self._failure or self.closed.is_set():
            raise ConnectionError(str(self._failure or _ENDED))
        self._channels[channel.number] = channel
        self.send(request)

    def _number(self) -> int:
        while True:
            self._last = self._last % (wire.ACCEPTED_FIRST - 1) + 1
            if self._last not in self._channels:
                return self._last

    # what the channels need

    def send(self, data: bytes) -> None:
        """Send a frame that needs no credit."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def push(self, channel: Channel) -> None:
        """Let the channel send when its turn comes."""
        self._turns[channel] = None
        self._send_in_turn()

    def forget(self, channel: Channel) -> None:
        """The channel has ended."""
        self._channels.pop(channel.number, None)
        self._turns.pop(channel, None)

    def accepted(self, number: int) -> MuxChannel:
        """Return the channel of a connection that came in."""
        if number < wire.ACCEPTED_FIRST or number in self._channels:
            raise WireError(f"a connection on channel {number}")
        if len(self._channels) >= _CHANNELS_MAX:  # nobody else bounds what the agent opens by itself
            raise WireError("more connections than anybody has")
        channel = MuxChannel(self, number)
        self._channels[number] = channel
        channel.take(wire.STARTED, memoryview(bytes(4)))
        return channel

    def _send_in_turn(self) -> None:
        while self._turns and not self._paused:
            channel = next(iter(self._turns))
            del self._turns[channel]
            if channel.pump():
                self._turns[channel] = None  # again, after the others

    # what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say HELLO."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_BUFFER)
        transport.write(wire.hello(self._identity))

    def pause_writing(self) -> None:
        """Send no DATA for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._send_in_turn()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 (asyncio's signature)
        """Return where to put what comes; it is taken out of there before there is more."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Act on what has come."""
        if self._failure:
            return
        try:
            for frame in self._decoder.feed(memoryview(self._buffer)[:nbytes]):
                self._take(frame)
        except (WireError, AgentError) as error:
            self._fail(error)

    def eof_received(self) -> bool:
        """Let asyncio close the connection."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything."""
        error = self._failure or exc
        text = f"{_ENDED}: {error}" if error else _ENDED
        for channel in list(self._channels.values()):
            channel.end(ConnectionError(text))
        if not self._hello.done():
            self._hello.set_exception(self._failure if isinstance(self._failure, AgentError) else NoAgent(text))
        with contextlib.suppress(asyncio.CancelledError):
            self._hello.exception()  # looked at, also if nobody waits for it any more
        self.closed.set()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        assert self._transport is not None
        self._transport.abort()

    def _take(self, frame: wire.Frame) -> None:
        kind, number, payload = frame
        if not self._hello.done():
            self._hello.set_result(welcome(frame, self._identity))
        elif kind == wire.ERROR:
            raise WireError(f"it says {wire.parse_error(payload)}")
        elif kind == wire.ACCEPTED:
            self._accept(number, payload)
        elif number in self._channels:
            self._channels[number].take(kind, payload)
        else:
            raise WireError(f"type {kind:#x} on channel {number}")

    def _accept(self, number: int, payload: memoryview) -> None:
        listener, port, host = wire.parse_accepted(payload)
        channel = self._channels.get(listener)
        if not isinstance(channel, MuxListener):
            raise WireError(f"a connection of channel {listener}")
        channel.offer(number, host, port)
