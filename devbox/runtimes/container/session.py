"""A process inside a container, and how signals get to it."""

import signal

from devbox.engine.base import Engine, ExecSession
from devbox.errors import EngineError
from devbox.runtimes.container.request import signal_request


class ContainerSession:
    """A running process; its pid inside is found again by `token`."""

    def __init__(self, engine: Engine, *, container: str, token: str, process: ExecSession) -> None:
        self._engine = engine
        self._container = container
        self._token = token
        self._process = process

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._process.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end."""
        return self._process.receive()

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin; a no-op when it has gone."""
        self._process.send(data)

    def close_stdin(self) -> None:
        """Let it read end-of-file."""
        self._process.close_stdin()

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the size."""
        self._process.resize(rows, columns)

    def signal(self, number: int) -> None:
        """Send signal `number` to it and its children, as root inside; a no-op when it has gone."""
        name = signal.Signals(number).name.removeprefix("SIG")
        try:
            sender = self._engine.exec(self._container, signal_request(self._token, name))
        except EngineError:
            return  # the container has stopped, and with it the process
        try:
            while sender.receive() is not None:
                pass
            sender.exit_code()
        finally:
            sender.close()

    def exit_code(self) -> int:
        """Wait for its end and return its exit code."""
        return self._process.exit_code()

    def close(self) -> None:
        """Leave it."""
        self._process.close()
