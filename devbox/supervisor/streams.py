"""TCP: whoever connects to a port of this host is connected to the port inside."""

import asyncio
import errno
import socket
import struct
from collections.abc import Sequence
from typing import Final

from devbox.agent.wire import TCP
from devbox.supervisor.dialler import GONE, Channel, Dialler
from devbox.supervisor.log import Log

INSIDE: Final = "localhost"  # 127.0.0.1, then ::1
_READ: Final = 65536
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE: Final = 0.5  # seconds in which somebody may hang up, so that there is room again
_RESET: Final = struct.pack("ii", 1, 0)


class StreamRelay:
    """Relays what connects to `listeners` to port `guest` inside."""

    def __init__(self, listeners: Sequence[socket.socket], guest: int, dialler: Dialler, log: Log) -> None:
        self._listeners = listeners
        self._guest = guest
        self._dialler = dialler
        self._log = log
        self._connections: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        self._accepting = [loop.create_task(self._accept(listener)) for listener in listeners]

    def drop(self) -> None:
        """End all connections; new ones may come."""
        for task in self._connections:
            task.cancel()

    def close(self) -> None:
        """Listen no more, and end all connections."""
        for task in self._accepting:
            task.cancel()
        for listener in self._listeners:
            listener.close()
        self.drop()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _FULL:
                    self._log.say(f"no more connections for now: {error.strerror}")
                    await asyncio.sleep(_PAUSE)
                continue
            task = loop.create_task(self._serve(connection))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Relay one connection to its end. What goes wrong inside is a reset here, as it would be without us."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clean = False
        try:
            channel = await self._dialler.connect(TCP, INSIDE, self._guest)
            try:
                await _relay(connection, channel)
            finally:
                channel.close()
            clean = True
        except GONE:
            pass  # refused inside, or one of the two has hung up
        finally:
            if not clean:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.close()


async def _relay(connection: socket.socket, channel: Channel) -> None:
    """Copy both ways, each to its own end; `OSError` if either breaks."""
    inwards = asyncio.ensure_future(_inwards(connection, channel))
    outwards = asyncio.ensure_future(_outwards(connection, channel))
    try:
        await asyncio.gather(inwards, outwards)
    finally:
        inwards.cancel()
        outwards.cancel()
        await asyncio.gather(inwards, outwards, return_exceptions=True)


async def _inwards(connection: socket.socket, channel: Channel) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(connection, _READ):
        channel.write(data)
        await channel.drain()
        if channel.over:  # nobody has read all of it
            raise ConnectionResetError
    channel.eof()


async def _outwards(connection: socket.socket, channel: Channel) -> None:
    loop = asyncio.get_running_loop()
    while data := await channel.read():
        await loop.sock_sendall(connection, data)
    connection.shutdown(socket.SHUT_WR)
