"""The Supervisor's life, from the first connection to the agent to the last."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.supervisor.control import Control
from devbox.supervisor.link import Link
from devbox.supervisor.log import Log
from devbox.supervisor.protocol import LINE_MAX
from devbox.supervisor.service import Service
from devbox.supervisor.session import opener
from devbox.supervisor.syncing import SyncService

_BACKLOG: Final = 64
_WAITING: Final = 64  # commands that wait for a sync at the same time
_PARTING: Final = 0.05  # seconds in which the last answer gets out


async def serve(path_hash: str, identity: str, build: str, *, agent: str, log: Log, ready: Callable[[], None]) -> None:
    """Relay and sync until the Environment ends, somebody asks for the end, or nothing is left to do.

    `agent`: path of its socket. `ready` is called when clients can connect. `AgentError` if the agent of `identity`
    does not answer.
    """
    link = Link(agent, identity, log)
    await link.open()
    service = Service(link, log)
    link.lost = service.drop
    syncing = SyncService(opener(path_hash, identity, agent, log), log)
    over = asyncio.Event()

    def end(why: str) -> None:
        if not over.is_set():
            log.say(f"ends: {why}")
        control.ending = True
        over.set()

    control = Control(service, syncing, build=build, identity=identity, quit=end)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_WAITING))
    loop.add_signal_handler(signal.SIGTERM, end, "SIGTERM")
    path = paths.supervisor_socket(path_hash)
    server = await asyncio.start_unix_server(control.serve, sock=_listening(path), limit=LINE_MAX)
    holding = loop.create_task(link.hold())
    holding.add_done_callback(lambda _: end("its environment has ended"))
    log.say(f"devbox supervisor, build {build}, pid {os.getpid()}")
    ready()
    try:
        await over.wait()
        await asyncio.sleep(_PARTING)
    finally:
        server.close()
        service.close()
        holding.cancel()
        syncing.close()
        with suppress(OSError):
            Path(path).unlink()
        await link.close()


def _listening(path: str) -> socket.socket:
    """Return a socket that listens at `path` for this user alone. Whatever lies there is left over: we have the lock.

    The directory is entered for it, since its path may be longer than that of a socket can be.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory, name = os.path.split(path)
    with suppress(FileNotFoundError):
        Path(path).unlink()
    os.chdir(directory)
    try:
        made.bind(name)
        Path(name).chmod(0o600)
    finally:
        os.chdir("/")
    made.listen(_BACKLOG)
    made.settimeout(0)
    return made
