"""Connections that the client forwards into the Environment: -L, -D, -W, and what editors use."""

import asyncio
import contextlib
import ipaddress
import re
from typing import Final

from devbox.agent.client import AgentError, StartError
from devbox.agent.mux import AgentMux, MuxChannel
from devbox.agent.wire import TCP, UNIX, ExecMessage
from devbox.ssh.flow import Flow
from devbox.ssh.guest import Front
from devbox.ssh.library import asyncssh

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252})\Z")
_ANSWER_MAX: Final = 64 * 1024
_LINGER: Final = 30.0  # seconds that are left to what listens inside once the client has closed


class Forward(Flow, asyncssh.SSHTCPSession[bytes]):
    """One connection: a channel of the client's, and `remote`, the agent's."""

    def __init__(self, remote: MuxChannel) -> None:
        super().__init__()
        self._remote = remote

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the agent's end; a client that has closed in peace has said all, and part of that may be on its way.

        asyncssh tells of no end of what the client sends if the close comes while it holds data back.
        """
        if exc is not None or self._task is None:
            super().connection_lost(exc)
            self._remote.close()
            return
        self._channel = None
        self._writable.set()
        self.eof_received()
        asyncio.get_running_loop().call_later(_LINGER, self._task.cancel)

    async def _run(self) -> None:
        channel = self._channel
        assert channel is not None
        feeding = asyncio.create_task(self._pass_in(self._remote))
        try:
            while data := await self._remote.read():
                await self._pass_out(data)
            channel.write_eof()
            await feeding
            await self._remote.finished()
            channel.close()
        except (AgentError, OSError):
            channel.abort()
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError, AgentError, OSError):
                await feeding
            self._remote.close()


async def local(mux: AgentMux, front: Front, host: str, port: int) -> Forward:
    """Return the session that connects to `host`:`port` as seen from inside; `ChannelOpenError` if it cannot be."""
    for address in await _addresses(mux, front, host):
        with contextlib.suppress(StartError):
            return await _connected(mux, TCP, address, port)
    raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, f"nobody listens at {host} port {port} inside")


async def local_socket(mux: AgentMux, path: str) -> Forward:
    """Return the session that connects to the unix socket `path` inside; `ChannelOpenError` if it cannot be."""
    try:
        return await _connected(mux, UNIX, path, 0)
    except StartError as error:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, f"nobody listens at {path} inside") from error


async def _connected(mux: AgentMux, kind: int, host: str, port: int) -> Forward:
    try:
        return Forward(await mux.connect(kind, host, port))
    except StartError:
        raise
    except (AgentError, OSError, ValueError) as error:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from error


async def _addresses(mux: AgentMux, front: Front, host: str) -> list[str]:
    """Return the addresses of `host`, looked up inside: the agent itself takes none but addresses and localhost."""
    name = host.removeprefix("[").removesuffix("]")
    if name == "localhost":
        return [name]
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(name))]
    if not _HOST.match(name):
        return []
    answer = await _asked(mux, front, ("getent", "ahosts", name))
    found: list[str] = []
    for line in answer.decode("ascii", "replace").splitlines():
        with contextlib.suppress(ValueError):
            found.append(str(ipaddress.ip_address(line.split(" ")[0])))
    return list(dict.fromkeys(found))[:8]


async def _asked(mux: AgentMux, front: Front, argv: tuple[str, ...]) -> bytes:
    """Return what a program inside prints; nothing if the image does not have it."""
    answer = b""
    try:
        process = await mux.execute(ExecMessage(argv, user=front.run_as, cwd="/", flags=0))
        async for stream, data in process:
            if stream == 1 and len(answer) < _ANSWER_MAX:
                answer += data
    except (AgentError, OSError):
        return b""
    process.close()
    return answer
