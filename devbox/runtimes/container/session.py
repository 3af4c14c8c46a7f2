"""A process inside a container, and how signals get to it."""

import contextlib
import signal
import threading
from typing import Final

from devbox.engine.base import Engine, ExecSession
from devbox.errors import DevboxError, EngineError
from devbox.runtimes.container.request import signal_request

_SENDING: Final = 5.0  # seconds that the sender of a signal is given once the process's own stream is closed


class ContainerSession:
    """A running process; its pid inside is found again by `token`."""

    def __init__(self, engine: Engine, *, container: str, token: str, process: ExecSession) -> None:
        self._engine = engine
        self._container = container
        self._token = token
        self._process = process
        self._senders: list[threading.Thread] = []

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
        # Not waited for here: an engine reports the end of the sender after that of the process, and this one not
        # before somebody has read all of its output, which is the caller's to do (seen with Docker 20.10).
        thread = threading.Thread(target=_drain, args=(sender,), name=f"signal {name}", daemon=True)
        thread.start()
        self._senders.append(thread)

    def exit_code(self) -> int:
        """Wait for its end and return its exit code."""
        return self._process.exit_code()

    def close(self) -> None:
        """Leave it; a signal on its way arrives before this returns."""
        self._process.close()
        for thread in self._senders:
            thread.join(_SENDING)


def _drain(sender: ExecSession) -> None:
    with contextlib.suppress(DevboxError, OSError):
        while sender.receive() is not None:
            pass
    sender.close()
