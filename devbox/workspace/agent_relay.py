"""A socket on this host that leads to an agent through its engine, for those who have no engine."""

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Final

from devbox.agent.transport import Transport
from devbox.errors import DevboxError
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import running

_CHUNK: Final = 64 * 1024
_LOOK: Final = 1.0  # seconds between two looks whether somebody still needs this


def serve(host: Host, workspace: Workspace, path: str, *, parent: int) -> None:
    """Lead every connection to the socket at `path` to the agent of the running Environment.

    It ends with the process `parent`, which has started it and may be gone before this begins.
    """
    with contextlib.closing(_listening(path)) as listener:
        listener.settimeout(_LOOK)
        while os.getppid() == parent:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=_lead, args=(host, workspace, client), daemon=True).start()


def _listening(path: str) -> socket.socket:
    """Return a socket that listens at `path`, for this user alone: its directory is. That may be too long a name."""
    directory, name = os.path.split(path)
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.chdir(directory)
    listener.bind(name)
    Path(name).chmod(0o600)
    listener.listen()
    return listener


def _lead(host: Host, workspace: Workspace, client: socket.socket) -> None:
    """Copy between a client and the agent until one of them ends; whoever cannot be led on is hung up on."""
    with contextlib.closing(client):
        try:
            transport = running(host, workspace).connect()
        except DevboxError as error:
            host.reporter.warn(error.message)
            return
        with contextlib.closing(transport):
            back = threading.Thread(target=_back, args=(transport, client), daemon=True)
            back.start()
            with contextlib.suppress(OSError, DevboxError):
                while data := client.recv(_CHUNK):
                    transport.send(data)


def _back(transport: Transport, client: socket.socket) -> None:
    with contextlib.suppress(OSError, DevboxError):
        while True:
            try:
                data = transport.receive(_CHUNK)
            except BlockingIOError:  # it had something to complain about
                continue
            if not data:
                break
            client.sendall(data)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
