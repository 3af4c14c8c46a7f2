"""Connections that FakeAgent makes for its clients: to real ports and sockets of this host."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable

from devbox.agent import wire
from tests.fakes import agent_messages as says

Send = Callable[[bytes], None]
_PIECE = 65536


class FakeConnection:
    """One channel of CONNECT. `forget(channel)` is called when it has ended."""

    def __init__(self, channel: int, window: int, send: Send, forget: Callable[[int], None]) -> None:
        self.channel = channel
        self._window = window
        self._room = wire.CREDIT
        self._send = send
        self._forget = forget
        self._input: list[bytes | None] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._hears = True

    def begin(self, run: Callable[["FakeConnection"], object]) -> "FakeConnection":
        self._task = asyncio.get_running_loop().create_task(run(self))  # type: ignore[arg-type]
        return self

    def feed(self, data: memoryview) -> bool:
        self._room -= len(data)
        self._input.append(bytes(data))
        self._changed.set()
        return self._room >= 0

    def end_input(self) -> None:
        self._input.append(None)
        self._changed.set()

    def give(self, count: int) -> None:
        self._window += count
        self._changed.set()

    def signal(self, number: int) -> None:
        """Ignore it: it has no process."""

    def resize(self, rows: int, columns: int) -> None:
        """Ignore it: it has no terminal."""

    def close(self) -> None:
        if self._task and self._hears:
            self._hears = False
            self._task.cancel()

    async def next_input(self) -> bytes | None:
        await self._until(lambda: bool(self._input))
        data = self._input.pop(0)
        if data:
            self._room += len(data)
            self._send(wire.window(self.channel, len(data)))
        return data

    async def room(self) -> int:
        await self._until(lambda: self._window > 0)
        return min(self._window, _PIECE)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            waiter = asyncio.ensure_future(self._changed.wait())
            await waiter

    def say(self, data: bytes) -> None:
        """Send DATA, or drop it if there is no credit for it."""
        if len(data) <= self._window:
            self._window -= len(data)
            self._send(wire.frame(wire.DATA, self.channel, data))

    def say_eof(self) -> None:
        self._send(wire.frame(wire.EOF, self.channel))

    def started(self) -> None:
        self._send(says.started(self.channel))

    def failed(self, error: OSError) -> None:
        self._send(says.failed(self.channel, error.errno or errno.EIO, wire.STAGE_CONNECT, "connect"))
        self._forget(self.channel)

    def ended(self, number: int = 0) -> None:
        self._send(says.closed(self.channel, number))
        self._forget(self.channel)


def stream_connection(
    channel: int, window: int, kind: int, host: str, port: int, send: Send, forget: Callable[[int], None]
) -> FakeConnection:
    async def run(connection: FakeConnection) -> None:
        try:
            reader, writer = await _open(kind, host, port)
        except OSError as error:
            connection.failed(error)
            return
        connection.started()
        number = 0
        tasks = [asyncio.ensure_future(job) for job in (_outward(connection, reader), _inward(connection, writer))]
        try:
            await asyncio.gather(*tasks)
        except OSError as error:
            number = error.errno or errno.EIO
        except asyncio.CancelledError:
            number = 0
        finally:
            for task in tasks:
                task.cancel()
            writer.transport.abort()
            connection.ended(number)

    return FakeConnection(channel, window, send, forget).begin(run)


async def _open(kind: int, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if kind == wire.UNIX:
        return await asyncio.open_unix_connection(host)
    addresses = ("127.0.0.1", "::1") if host == "localhost" else (_address(host),)
    for address in addresses[:-1]:
        try:
            return await asyncio.open_connection(address, port)
        except OSError:
            continue
    return await asyncio.open_connection(addresses[-1], port)


def _address(host: str) -> str:
    """Return `host` if it is an address: names are looked up by nobody."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError as error:
        raise OSError(errno.EINVAL, "no address") from error


async def _outward(connection: FakeConnection, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(await connection.room()):
        connection.say(data)
    connection.say_eof()


async def _inward(connection: FakeConnection, writer: asyncio.StreamWriter) -> None:
    while (data := await connection.next_input()) is not None:
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, connection: FakeConnection) -> None:
        self._connection = connection
        self.refused = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _address: object) -> None:
        self._connection.say(data)

    def error_received(self, error: Exception) -> None:
        """A port that nobody listens on ends it; what else goes wrong with a datagram is its loss."""
        if isinstance(error, ConnectionRefusedError) and not self.refused.done():
            self.refused.set_result(None)


async def _datagrams_inward(connection: FakeConnection, transport: asyncio.DatagramTransport) -> None:
    while (data := await connection.next_input()) is not None:
        transport.sendto(data)


def datagram_connection(
    channel: int, window: int, kind: int, host: str, port: int, send: Send, forget: Callable[[int], None]
) -> FakeConnection:
    async def run(connection: FakeConnection) -> None:
        address = "127.0.0.1" if host == "localhost" else host
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(connection), remote_addr=(address, port), family=family
            )
        except OSError as error:
            connection.failed(error)
            return
        connection.started()
        number = 0
        inward = asyncio.ensure_future(_datagrams_inward(connection, transport))
        try:
            await asyncio.wait({inward, protocol.refused}, return_when=asyncio.FIRST_COMPLETED)
            number = errno.ECONNREFUSED if protocol.refused.done() else 0
        except asyncio.CancelledError:
            return
        finally:
            inward.cancel()
            transport.close()
            connection.ended(number)

    return FakeConnection(channel, window, send, forget).begin(run)
