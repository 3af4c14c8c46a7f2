"""Environments on the real engine whose project is a copy, kept in sync."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from tests.integration.workspace.conftest import own_base, write
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.elsewhere import pump
from tests.support.project import project
from tests.support.supervisors import gone

DOCKER_SOCKET = "/var/run/docker.sock"
PATIENCE = 30.0  # seconds
TWO_WAY = '[sync]\nmode = "two-way"\n'


@pytest.fixture
def devbox(docker_engine: Engine) -> Iterator[Devbox]:
    """A project that is synced both ways."""
    with project(invoker()) as found, own_base(docker_engine, found):
        write(found, TWO_WAY)
        (found.directory / "a.txt").write_text("one")
        yield found
        found("destroy", "-f", status=None)
        assert gone(found.hash), "a supervisor was left"


def inside(devbox: Devbox, script: str) -> str:
    """Run a shell script inside and return what it says."""
    return devbox("exec", "--", "sh", "-c", script).stdout.strip()


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def has(path: Path, text: str) -> bool:
    """Whether a file has exactly this content."""
    return path.exists() and path.read_text() == text


@contextlib.contextmanager
def served_by_tcp() -> Iterator[str]:
    """Serve the engine's socket on a port of this host; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def _accept(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client,), daemon=True).start()


def _serve(client: socket.socket) -> None:
    with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.connect(DOCKER_SOCKET)
        back = threading.Thread(target=pump, args=(server, client))
        back.start()
        pump(client, server)
        back.join()


@pytest.fixture
def remote(devbox: Devbox) -> Iterator[Devbox]:
    """The same project on an engine that is reached over TCP, and so counts as another machine's."""
    with served_by_tcp() as url:
        yield replace(devbox, variables={"DOCKER_HOST": url})
        replace(devbox, variables={"DOCKER_HOST": url})("destroy", "-f", status=None)
