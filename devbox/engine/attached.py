"""The stream of a process inside as `engine.base` has it: what breaks it is explained."""

from devbox.engine.endpoint import Endpoint
from devbox.engine.streams import HijackedStream
from devbox.engine.unavailable import reached


class EngineStream:
    """The two-way byte stream of a process inside."""

    def __init__(self, stream: HijackedStream, endpoint: Endpoint) -> None:
        self._stream = stream
        self._endpoint = endpoint

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._stream.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end."""
        with reached(self._endpoint):
            return self._stream.receive()

    def send(self, data: bytes) -> None:
        """Send all of `data` to the process's stdin; a no-op when it has gone."""
        with reached(self._endpoint):
            self._stream.send(data)

    def close_stdin(self) -> None:
        """Let the process read end-of-file."""
        self._stream.close_stdin()

    def close(self) -> None:
        """Leave the stream; the process goes on."""
        self._stream.close()
