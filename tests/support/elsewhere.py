"""The engine of this machine as one that is somewhere else."""

import contextlib
import socket
from dataclasses import replace
from typing import Any

from devbox.engine.base import Engine, EngineInfo


class Elsewhere:
    """The engine of this machine, reached as if it were another one's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def info(self) -> EngineInfo:
        return replace(self._engine.info, shares_host=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes, and its end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
