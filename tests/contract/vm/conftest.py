"""A line from end to end: the host's process, a stand-in for QEMU's port, the agent's program, and what it leads to."""

import os
import signal
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from devbox.agent import program
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import lines
from devbox.vm.line_process import LOCK
from tests.support.line_port import LinePort
from tests.support.waiting import until

PROCESSES = HostProcesses(SilentReporter())


class Echo(socketserver.BaseRequestHandler):
    """Says what it hears, and "end"; after "hold" it reads nothing, after "flood" it writes without end.

    After "refuse" it reads nothing, and says why when it is released, and goes.
    """

    def handle(self) -> None:
        with suppress(OSError):
            while data := self.request.recv(65536):
                if data.startswith(b"hold"):
                    self.request.sendall(b"held")
                    self.server.released.wait()  # type: ignore[attr-defined]
                elif data.startswith(b"flood"):
                    while True:
                        self.request.sendall(bytes(65536))
                elif data.startswith(b"refuse"):
                    self.request.sendall(b"held")
                    self.server.released.wait()  # type: ignore[attr-defined]
                    self.request.sendall(b"no")
                    return
                elif data.startswith(b"leave"):
                    return
                else:
                    self.request.sendall(data)
            self.request.sendall(b"end")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Echo)
        self.released = threading.Event()
        self.has_left = threading.Event()

    def close_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        super().close_request(request)
        self.has_left.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that was cut off is what the tests do."""


class Bed:
    """The parts, each of which can be taken away and put back; a context manager that ends those that are there."""

    def __init__(self, directory: Path, server: Path) -> None:
        self.directory = directory
        self.port = LinePort(directory)
        self.agent_socket = directory / "agent.sock"
        self._server = server
        self._guest: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as parts:
            parts.callback(self.port.close)
            parts.callback(self.end_guest)
            parts.callback(lines.end, self.agent_socket)

    @property
    def lock(self) -> Path:
        return Path(f"{self.agent_socket}{LOCK}")

    def start(self) -> Self:
        """Start both ends, and return when they have met."""
        self.start_guest()
        self.ensure()
        return self

    def start_guest(self) -> None:
        words = [agent_program(), "line", "--port", str(self.port.machine.absolute()), "--socket", str(self._server)]
        self._guest = subprocess.Popen(words)

    def end_guest(self) -> None:
        """Kill it, which must not have ended by itself; harmless if none was started."""
        guest, self._guest = self._guest, None
        if guest:
            assert guest.poll() is None, "it ended by itself"
            guest.kill()
            guest.wait()

    def guest_pid(self) -> int:
        assert self._guest
        return self._guest.pid

    def guest_status(self) -> int:
        """Wait for the end that it comes to by itself; return its exit status."""
        assert self._guest
        status = self._guest.wait(timeout=20)
        self._guest = None
        return status

    def ensure(self) -> None:
        lines.ensure(self.port.host, self.agent_socket, PROCESSES)
        until(lambda: lines.listens(self.agent_socket), within=20)

    def host_pid(self) -> int:
        return int(self.lock.read_text().split()[0])

    def kill_host(self) -> None:
        os.kill(self.host_pid(), signal.SIGKILL)
        until(lambda: not lines.listens(self.agent_socket))

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.agent_socket))
        client.settimeout(30)
        return client


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def agent_program() -> str:
    """Return the agent's program; another one, as with sanitizers in it, may be given by DEVBOX_TEST_AGENT."""
    return os.environ.get("DEVBOX_TEST_AGENT") or str(program.binary(os.uname().machine))


@contextmanager
def serving(path: Path) -> Iterator[Server]:
    with Server(path) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "server.sock") as found:
        yield found


@pytest.fixture
def bed(tmp_path: Path, server: Server) -> Iterator[Bed]:
    with Bed(tmp_path, tmp_path / "server.sock") as made:
        yield made.start()
