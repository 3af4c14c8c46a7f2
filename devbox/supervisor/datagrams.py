"""UDP: each client's address has a flow of its own to the port inside, until nothing has come for a minute."""

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from devbox.agent.wire import UDP
from devbox.supervisor.dialler import GONE, Channel, Dialler

IDLE: Final = 60.0  # seconds after which a flow is forgotten
FLOWS: Final = 1024  # at most; of more, the one that was quiet for the longest goes
_INSIDE: Final = ("127.0.0.1", "::1")
_WAITING: Final = 64  # datagrams that may wait for a channel or for credit; what is more is dropped
_AT_ONCE: Final = 64  # datagrams read before others have their turn
_LARGEST: Final = 65507


class DatagramRelay:
    """Relays what comes to `listeners` to port `guest` inside, and the answers back."""

    def __init__(self, listeners: Sequence[socket.socket], guest: int, dialler: Dialler, *, idle: float = IDLE) -> None:
        self._listeners = listeners
        self._guest = guest
        self._dialler = dialler
        self._idle = idle
        self._flows: dict[tuple[int, Any], _Flow] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        for listener in listeners:
            self._loop.add_reader(listener, self._readable, listener)

    def drop(self) -> None:
        """Forget all flows; new ones may come."""
        for key in list(self._flows):
            self._forget(key)

    def close(self) -> None:
        """Listen no more, and forget all flows."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self.drop()

    def _readable(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, address = listener.recvfrom(_LARGEST)
            except OSError:
                return  # nothing more, or an answer of ours that found nobody
            if data:  # an empty one could not be told from the end of the channel
                self._flow(listener, address).put(data)

    def _flow(self, listener: socket.socket, address: Any) -> "_Flow":  # noqa: ANN401 (a tuple of its family)
        key = (listener.fileno(), address)
        flow = self._flows.get(key)
        if flow is None:
            if len(self._flows) >= FLOWS:
                self._forget(min(self._flows, key=lambda each: self._flows[each].used))
            flow = self._flows[key] = _Flow(listener, address, self._guest, self._dialler)
            flow.task.add_done_callback(lambda _: self._flows.pop(key, None) if self._flows.get(key) is flow else None)
            if self._timer is None:
                self._timer = self._loop.call_later(self._idle, self._sweep)
        return flow

    def _sweep(self) -> None:
        """Forget the flows that were quiet; look again when the next one could be, and not at all without any."""
        now = self._loop.time()
        for key in [key for key, flow in self._flows.items() if now - flow.used >= self._idle]:
            self._forget(key)
        self._timer = None
        if self._flows:
            oldest = min(flow.used for flow in self._flows.values())
            self._timer = self._loop.call_at(oldest + self._idle, self._sweep)

    def _forget(self, key: tuple[int, Any]) -> None:
        self._flows.pop(key).task.cancel()
        if not self._flows and self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Flow:
    """What one client sends, and what is answered."""

    def __init__(self, listener: socket.socket, address: Any, guest: int, dialler: Dialler) -> None:  # noqa: ANN401
        self._listener = listener
        self._address = address
        self._guest = guest
        self._dialler = dialler
        self._waiting: deque[bytes] = deque()
        self._came = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._answered = False
        self._sent: list[bytes] = []  # as long as nobody has answered
        self.used = self._loop.time()
        self.task = self._loop.create_task(self._run())

    def put(self, data: bytes) -> None:
        """Take a datagram of the client."""
        self.used = self._loop.time()
        if len(self._waiting) < _WAITING:
            self._waiting.append(data)
            self._came.set()

    async def _run(self) -> None:
        """Try the addresses inside, with the datagrams so far at each, until one does not refuse them."""
        for host in _INSIDE:
            self._waiting.extendleft(reversed(self._sent))
            self._sent = []
            if self._waiting:
                self._came.set()
            try:
                await self._relay(host)
            except ConnectionRefusedError:
                if self._answered:
                    return
            except GONE:
                return

    async def _relay(self, host: str) -> None:
        channel = await self._dialler.connect(UDP, host, self._guest)
        ways = [asyncio.ensure_future(way) for way in (self._inwards(channel), self._outwards(channel))]
        try:
            # The first to end ends the flow: what sends would wait for the client for ever.
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            channel.close()

    async def _inwards(self, channel: Channel) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                data = self._waiting.popleft()
                if not self._answered and len(self._sent) < _WAITING:
                    self._sent.append(data)
                channel.write(data)
                await channel.drain()

    async def _outwards(self, channel: Channel) -> None:
        while data := await channel.read():
            self._answered = True
            self._sent.clear()
            self.used = self._loop.time()
            try:
                self._listener.sendto(data, self._address)
            except OSError:
                continue  # no room, or the client has gone: the answer is lost, as on any network
