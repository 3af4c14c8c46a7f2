"""Connections that come from inside and go to the client: -R, and the client's ssh agent (-A)."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from devbox.agent.client import AgentError
from devbox.agent.mux import AgentMux, MuxChannel, MuxListener
from devbox.agent.wire import TCP, UNIX
from devbox.ssh.forward import Forward
from devbox.ssh.guest import Front
from devbox.ssh.library import asyncssh

LOOPBACK: Final = ("127.0.0.1", "::1")
# What a client names when it means any or no address in particular. As with an sshd that has GatewayPorts off, all
# of it is loopback: a port that is forwarded is not for the neighbours of the container.
Opener = Callable[[MuxChannel, str, int], Awaitable[object]]


class GuestListener(asyncssh.SSHListener):
    """Sockets that the agent listens on for the client; every connection is handed to `opener`."""

    def __init__(self, listeners: Sequence[MuxListener], opener: Opener) -> None:
        super().__init__()
        self._listeners = listeners
        self._tasks = [asyncio.create_task(_accept(listener, opener)) for listener in listeners]

    def get_port(self) -> int:
        """Return the port inside."""
        return self._listeners[0].port

    def close(self) -> None:
        """Listen no more; what was accepted goes on."""
        for listener in self._listeners:
            listener.close()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait for that."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _accept(listener: MuxListener, opener: Opener) -> None:
    opening: set[asyncio.Task[None]] = set()
    async for channel, host, port in listener:
        task = asyncio.create_task(_opened(opener, channel, host, port))
        opening.add(task)
        task.add_done_callback(opening.discard)


async def _opened(opener: Opener, channel: MuxChannel, host: str, port: int) -> None:
    try:
        await opener(channel, host, port)
    except (asyncssh.Error, OSError):  # the client does not want it
        channel.close()


async def listen_tcp(
    mux: AgentMux, front: Front, connection: asyncssh.SSHServerConnection, host: str, port: int
) -> GuestListener:
    """Listen inside on loopback for `connection`, which asked for `host`:`port`; `OSError` if it cannot be."""
    first = await _listening(mux, front, TCP, LOOPBACK[0], port)
    listeners = [first]
    with contextlib.suppress(OSError):  # an Environment may be without IPv6
        listeners.append(await _listening(mux, front, TCP, LOOPBACK[1], first.port))

    async def open_channel(channel: MuxChannel, peer: str, peer_port: int) -> None:
        await connection.create_connection(lambda: Forward(channel), host, port or first.port, peer, peer_port)

    return GuestListener(listeners, open_channel)


async def listen_unix(
    mux: AgentMux, front: Front, connection: asyncssh.SSHServerConnection, path: str
) -> GuestListener:
    """Listen inside at `path` for `connection`; `OSError` if it cannot be."""

    async def open_channel(channel: MuxChannel, _peer: str, _port: int) -> None:
        await connection.create_unix_connection(lambda: Forward(channel), path)  # type: ignore[arg-type,return-value]

    return GuestListener([await _listening(mux, front, UNIX, path, 0)], open_channel)


class AgentForwarding:
    """The client's ssh agent, seen inside as a socket that only its user can reach; made when it is asked for."""

    def __init__(self, mux: AgentMux, front: Front) -> None:
        self._mux = mux
        self._front = front
        self._listener: GuestListener | None = None
        self.path: str | None = None  # of the socket inside, once there is one

    async def enable(self, connection: asyncssh.SSHServerConnection) -> bool:
        """Listen for `connection`; False if that cannot be."""
        if self.path:
            return True
        path = f"/tmp/devbox-{secrets.token_hex(8)}/agent"

        async def open_channel(channel: MuxChannel, _peer: str, _port: int) -> None:
            await connection.create_agent_channel().open(lambda: Forward(channel))  # type: ignore[arg-type,return-value]

        try:
            listener = await _listening(self._mux, self._front, UNIX, path, 0, private=True)
        except OSError:
            return False
        self._listener = GuestListener([listener], open_channel)
        self.path = path
        return True


async def _listening(
    mux: AgentMux, front: Front, kind: int, host: str, port: int, *, private: bool = False
) -> MuxListener:
    try:
        return await mux.listen(kind, host, port, user=front.run_as, private=private)
    except (AgentError, ValueError) as error:
        raise OSError(str(error)) from error
