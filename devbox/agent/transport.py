"""What carries the agent's protocol: a two-way stream of bytes. The one over a socket is in `client`, for speed."""

from typing import Final, Protocol

from devbox.values import printable

_STDOUT: Final = 1
_WORDS_MAX: Final = 4096  # so much of what a failing program says is kept


class Transport(Protocol):
    """A two-way stream of bytes to an agent. One thread may receive while another sends."""

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""

    def receive(self, limit: int) -> bytes:
        """Return what there is, at most `limit` bytes, blocking; b"" at the end.

        `BlockingIOError`: the descriptor was readable, but nothing for us came of it. `OSError` if it is broken.
        """

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`; `OSError` if it cannot be."""

    def close(self) -> None:
        """Give it back, and free a thread that receives; may be called again."""


class ProgramStream(Protocol):
    """The streams of a program that an engine runs (`engine.base.Stream`, as far as it is used)."""

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end."""

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin."""

    def close(self) -> None:
        """Leave it."""


class EngineTransport:
    """The transport over `agent stream`, run by an engine's exec. `words` is what it had to complain about.

    With a `limit` below an engine's piece (64 KiB) a rest is held that `fileno` does not tell of.
    """

    def __init__(self, stream: ProgramStream) -> None:
        self._stream = stream
        self._rest = b""
        self._words = b""

    @property
    def words(self) -> str:
        """What the program wrote to its stderr, fit for a terminal."""
        return printable(self._words.decode("utf-8", "replace").strip())

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._stream.fileno()

    def receive(self, limit: int) -> bytes:
        """Return what there is, at most `limit` bytes; b"" at the end, `BlockingIOError` if it was a complaint."""
        if not self._rest:
            received = self._stream.receive()
            if received is None:
                return b""
            number, data = received
            if number != _STDOUT:
                self._words = (self._words + data)[:_WORDS_MAX]
                raise BlockingIOError
            self._rest = data
        data, self._rest = self._rest[:limit], self._rest[limit:]
        return data

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`."""
        self._stream.send(bytes(data))

    def close(self) -> None:
        """Leave the program, which ends by that."""
        self._stream.close()
