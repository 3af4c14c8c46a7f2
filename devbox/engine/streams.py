"""Streams of an engine: the hijacked connection of attach and exec, and the framing of stdout and stderr in it.

Framing (Engine API, "Stream format"): eight bytes, the first the stream (0 stdin, 1 stdout, 2 stderr), the last four
the length, big-endian; then that many bytes. With a terminal there is no framing.
"""

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from io import BufferedReader
from typing import Final, cast

from devbox.engine.relay import Relay

PIECE: Final = 64 * 1024  # the most that is read, and held, at once
_HEADER: Final = struct.Struct(">B3xL")
_STREAMS: Final = {0: 1, 1: 1, 2: 2, 3: 2}  # 3: the engine's own error


class StreamBrokenError(ConnectionError):
    """A stream ended within a frame, or is none."""


class Frames:
    """Takes frames apart without reading one byte beyond the piece that it returns.

    So whoever waits for its source to be readable never waits while something lies here. `read(n)` returns at
    most n bytes, none at the end.
    """

    def __init__(self, read: Callable[[int], bytes], *, multiplexed: bool = True) -> None:
        self._read = read
        self._multiplexed = multiplexed
        self._stream = 1
        self._left = 0  # bytes of the current frame still to come

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, never empty; None at the end."""
        if not self._multiplexed:
            data = self._read(PIECE)
            return (1, data) if data else None
        while self._left == 0:
            header = self._header()
            if not header:
                return None
            number, self._left = _HEADER.unpack(header)
            if number not in _STREAMS:
                raise StreamBrokenError(f"unknown stream {number}")
            self._stream = _STREAMS[number]
        data = self._read(min(self._left, PIECE))
        if not data:
            raise StreamBrokenError("the stream ended within a frame")
        self._left -= len(data)
        return self._stream, data

    def _header(self) -> bytes:
        header = b""
        while len(header) < _HEADER.size:
            data = self._read(_HEADER.size - len(header))
            if not data:
                if header:
                    raise StreamBrokenError("the stream ended within a frame's header")
                return b""
            header += data
        return header


class HijackedStream:
    """A connection that the engine turned into a two-way stream. One thread may receive while another sends.

    `reader` is the HTTP layer's, which may have read beyond the answer's header. What it holds, and TLS, whose
    socket can hold bytes while its descriptor is not readable, go through a `Relay`, so that `fileno` is honest.
    """

    def __init__(self, reader: BufferedReader, *, release: Callable[[], None], multiplexed: bool) -> None:
        upstream = cast("socket.socket", reader.raw._sock)  # type: ignore[attr-defined]
        early = _buffered(reader, upstream)
        self._upstream = upstream
        self._release = release
        self._relay = Relay(upstream, early) if early or isinstance(upstream, ssl.SSLSocket) else None
        self._socket = self._relay.socket if self._relay else upstream
        self._socket.settimeout(None)
        self._frames = Frames(self._read, multiplexed=multiplexed)
        self._closed = False

    def _read(self, count: int) -> bytes:
        try:
            return self._socket.recv(count)
        except ConnectionResetError:  # the end, when input was left unread; within a frame `Frames` minds
            return b""

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._socket.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end."""
        try:
            return self._frames.receive()
        except StreamBrokenError:
            raise
        except OSError:
            if self._closed:
                return None
            raise

    def send(self, data: bytes) -> None:
        """Send all of `data`; a no-op when the other side has gone."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def close_stdin(self) -> None:
        """Close the sending half."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Give the connection back; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._relay:
            self._relay.close()
        with contextlib.suppress(OSError):
            self._upstream.shutdown(socket.SHUT_RDWR)
        self._release()
        self._release = _nothing  # it holds the connection pool, which closes when nobody holds it


def _nothing() -> None:
    """Stand in for what has been done."""


def _buffered(reader: BufferedReader, upstream: socket.socket) -> bytes:
    """Take what `reader` has read already, without waiting for more."""
    upstream.settimeout(0)
    try:
        return reader.peek()
    except (BlockingIOError, ssl.SSLWantReadError, TimeoutError):
        return b""
