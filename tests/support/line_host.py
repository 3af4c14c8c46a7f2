"""The host's end of a line, spoken by hand: one frame after another, to see what the other end makes of each."""

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from devbox.vm import line_frames as frames

_CHUNK = 65536
_PATIENCE = 20  # seconds for each frame


class LineHost:
    """Whoever is on the host's side of the port at `path`; the machine has answered its RESET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(str(path))
        self._heard = b""
        nonce = os.urandom(frames.NONCE)
        self._socket.sendall(frames.reset(nonce))
        while frames.reset(nonce) not in self._heard:
            self._more()
        self._heard = self._heard.partition(frames.reset(nonce))[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def say(self, number: int, kind: int, payload: bytes = b"") -> None:
        self._socket.sendall(frames.frame(number, kind, payload))

    def hear(self) -> tuple[int, int, bytes]:
        """Return the next frame: whose it is, its kind, its payload; `Violation`, `TimeoutError`."""
        while len(self._heard) < frames.HEAD.size:
            self._more()
        number, kind, length = frames.head(memoryview(self._heard))
        size = frames.HEAD.size + length
        while len(self._heard) < size:
            self._more()
        payload, self._heard = self._heard[frames.HEAD.size : size], self._heard[size:]
        return number, kind, payload

    def hear_data(self, number: int, size: int) -> bytes:
        """Return what comes of this connection, which must be so much data."""
        heard = b""
        while len(heard) < size:
            whose, kind, payload = self.hear()
            assert (whose, kind) == (number, frames.DATA)
            heard += payload
        return heard

    def _more(self) -> None:
        data = self._socket.recv(_CHUNK)
        assert data, "the port was hung up"
        self._heard += data
