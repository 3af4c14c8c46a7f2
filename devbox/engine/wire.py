"""HTTP over a unix socket, as far as an engine speaks it: one request at a time, the connection kept for the next."""

import contextlib
import select
import socket
from collections.abc import Iterator, Mapping
from io import BufferedReader
from typing import Final

from devbox.engine.endpoint import CONNECT_TIMEOUT

_BODILESS: Final = (204, 304)
_UPGRADED: Final = 101
_LONGEST_LINE: Final = 64 * 1024


class BrokenAnswerError(ConnectionError):
    """What came is no answer, or not all of it."""


class UnansweredError(BrokenAnswerError):
    """Not a byte came: whoever closed a connection that was kept may have done so before the request was there."""


class Wire:
    """One connection. An exception of it leaves it unusable; it is to be closed then."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(CONNECT_TIMEOUT)
            self._socket.connect(path)
            self.reader: BufferedReader = self._socket.makefile("rb")
        except BaseException:
            self._socket.close()
            raise
        self.lasts = True  # it can carry another request

    @property
    def idle(self) -> bool:
        """Whether another request may be sent: the engine has neither closed it nor said anything unasked."""
        if not self.lasts:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def ask(
        self, method: str, path: str, body: bytes = b"", *, timeout: float | None, upgrade: bool = False
    ) -> tuple[int, bytes]:
        """Send a request and return status and body of its answer; with `upgrade` no body is read of a good one."""
        self._socket.settimeout(timeout)
        head = f"{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: {len(body)}\r\n"
        if body or upgrade:
            head += "Content-Type: application/json\r\n"
        if upgrade:
            head += "Connection: Upgrade\r\nUpgrade: tcp\r\n"
        # A refusal may come, and the connection go, before all is sent: what the engine said is still there to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(head.encode() + b"\r\n" + body)
        status, headers = self._head()
        if status == _UPGRADED or (upgrade and status < 300):
            self.lasts = False
            return status, b""
        return status, b"" if status in _BODILESS else self._body(headers)

    def close(self) -> None:
        """Close it; idempotent."""
        self.reader.close()
        self._socket.close()

    def _head(self) -> tuple[int, dict[str, str]]:
        first = self.reader.readline(_LONGEST_LINE)
        if not first:
            raise UnansweredError("no answer came")
        words = first.strip().split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise BrokenAnswerError("no answer came")
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip().lower()
        if words[0] == b"HTTP/1.0" or headers.get("connection") == "close":
            self.lasts = False
        return int(words[1]), headers

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        length = headers.get("content-length", "")
        if length.isdigit():
            return self._exactly(int(length))
        self.lasts = False
        return self.reader.read()

    def _chunks(self) -> Iterator[bytes]:
        while size := self._size():
            yield self._exactly(size)
            self._line()
        while self._line():
            pass  # trailers

    def _size(self) -> int:
        try:
            return int(self._line().partition(b";")[0], 16)
        except ValueError as error:
            raise BrokenAnswerError("a piece of the answer has no size") from error

    def _line(self) -> bytes:
        line = self.reader.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BrokenAnswerError("the answer broke off")
        return line.strip()

    def _exactly(self, count: int) -> bytes:
        data = self.reader.read(count)
        if len(data) != count:
            raise BrokenAnswerError("the answer broke off")
        return data
