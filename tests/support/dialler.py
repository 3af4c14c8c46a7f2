"""A way "inside" that leads to ports of this host, in place of an agent."""

import asyncio
from dataclasses import dataclass, field

from devbox.agent.wire import UDP
from devbox.supervisor.dialler import Channel


@dataclass
class LocalDialler:
    """Connects to ports of this host; `hosts` collects where it was asked to."""

    hosts: list[str] = field(default_factory=list)
    down: bool = False

    async def connect(self, kind: int, host: str, port: int) -> Channel:
        self.hosts.append(host)
        if self.down:
            raise ConnectionError("the agent is not there")
        if kind == UDP:
            return await _Datagrams.open(host, port)
        return _Stream(*await asyncio.open_connection(host, port))


class _Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def over(self) -> bool:
        return self._writer.is_closing()

    async def read(self) -> bytes:
        return await self._reader.read(65536)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def eof(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self._came: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, host: str, port: int) -> "_Datagrams":
        loop = asyncio.get_running_loop()
        transport, made = await loop.create_datagram_endpoint(cls, remote_addr=(host, port))
        made._transport = transport
        return made

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        assert isinstance(exc, OSError)
        self._came.put_nowait(exc)

    over = False

    async def read(self) -> bytes:
        came = await self._came.get()
        if isinstance(came, OSError):
            raise came
        return came

    def write(self, data: bytes) -> None:
        self._transport.sendto(data)

    async def drain(self) -> None: ...

    def eof(self) -> None: ...

    def close(self) -> None:
        self._transport.close()
