"""The server: who may come in (whoever holds the other end of the pipes), and what they may ask for."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from typing import Final

from devbox import __version__
from devbox.agent.client import AgentError
from devbox.agent.mux import AgentMux
from devbox.ssh import forward, remote
from devbox.ssh.guest import Front
from devbox.ssh.library import asyncssh
from devbox.ssh.pipes import joined
from devbox.ssh.session import GuestSession

_WINDOW: Final = 4 * 1024 * 1024  # bytes that a client may send ahead on one channel


class GuestServer(asyncssh.SSHServer):
    """One connection of one client."""

    def __init__(self, front: Front, mux: AgentMux) -> None:
        self._front = front
        self._mux = mux
        self._agent = remote.AgentForwarding(mux, front)
        self._connection: asyncssh.SSHServerConnection | None = None
        self._username = front.name

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection, and have a forwarded agent's socket made inside instead of on this host."""
        self._connection = conn
        conn.create_agent_listener = lambda: self._agent.enable(conn)  # type: ignore[method-assign]

    def begin_auth(self, username: str) -> bool:
        """Ask for no proof: whoever holds the pipes could as well type `devbox exec -u`."""
        self._username = username
        return False

    def session_requested(self) -> GuestSession:
        """Have a shell, a command or sftp."""
        return GuestSession(self._front, self._username, self._mux, self._agent)

    def connection_requested(
        self,
        dest_host: str,
        dest_port: int,
        orig_host: str,  # noqa: ARG002 (asyncssh's signature)
        orig_port: int,  # noqa: ARG002
    ) -> Awaitable[forward.Forward]:
        """Connect to an address as seen from inside."""
        return forward.local(self._mux, self._front, dest_host, dest_port)

    def unix_connection_requested(self, dest_path: str) -> Awaitable[forward.Forward]:  # type: ignore[override]
        """Connect to a unix socket inside."""
        return forward.local_socket(self._mux, dest_path)

    def server_requested(self, listen_host: str, listen_port: int) -> Awaitable[remote.GuestListener]:
        """Listen inside for the client."""
        assert self._connection is not None
        return remote.listen_tcp(self._mux, self._front, self._connection, listen_host, listen_port)

    def unix_server_requested(self, listen_path: str) -> Awaitable[remote.GuestListener]:
        """Listen on a unix socket inside for the client."""
        assert self._connection is not None
        return remote.listen_unix(self._mux, self._front, self._connection, listen_path)


def serve(front: Front, *, stdin: int = 0, stdout: int = 1) -> None:
    """Serve the client at the two descriptors until it goes, or the Environment does.

    `AgentError` if the agent does not answer, or is another one's.
    """
    for name in ("asyncssh", "asyncio"):  # what goes wrong in a connection is told to its client, not to stderr
        logging.getLogger(name).setLevel(logging.CRITICAL)
    asyncio.run(_serve(front, stdin, stdout))


async def _serve(front: Front, stdin: int, stdout: int) -> None:
    mux = await AgentMux.open(front.socket, front.identity)
    try:
        with joined(stdin, stdout) as socket, contextlib.suppress(asyncssh.Error, OSError, AgentError):
            connection = await asyncssh.run_server(
                socket,
                server_factory=lambda: GuestServer(front, mux),
                server_host_keys=[str(front.host_key)],
                server_version=f"devbox_{__version__}",
                gss_host=None,  # looking for one asks the name server
                line_editor=False,
                encoding=None,
                agent_forwarding=True,
                x11_forwarding=False,
                keepalive_interval=0,  # pipes do not go silently
                window=_WINDOW,
            )
            await _until_over(connection, mux)
    finally:
        await mux.close()


async def _until_over(connection: asyncssh.SSHServerConnection, mux: AgentMux) -> None:
    gone = asyncio.create_task(mux.closed.wait())
    over = asyncio.create_task(connection.wait_closed())
    try:
        await asyncio.wait((gone, over), return_when=asyncio.FIRST_COMPLETED)
    finally:
        connection.close()
        for task in (gone, over):
            task.cancel()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(connection.wait_closed(), 2)
