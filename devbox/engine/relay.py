"""Relay: a thread that carries bytes between an engine's connection and a plain local socket."""

import contextlib
import os
import select
import socket
import ssl
import threading
from typing import Final

_ROOM: Final = 256 * 1024  # bytes that may wait in either direction
_PIECE: Final = 64 * 1024


class Relay:
    """Carries `upstream` to and from `socket`, starting with `early`, bytes of upstream that were read before.

    The thread alone touches `upstream`, which may speak TLS. The end of one side's sending half is passed on.
    """

    def __init__(self, upstream: socket.socket, early: bytes) -> None:
        self.socket, self._inner = socket.socketpair()
        self._upstream = upstream
        self._down = bytearray(early)  # for the local side
        self._up = bytearray()  # for the engine
        self._down_ended = self._up_ended = False
        self._told = False  # the local side has been sent the end
        self._leaving = False
        upstream.settimeout(0)
        self._inner.settimeout(0)
        self._thread = threading.Thread(target=self._run, name="engine-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the connection, the thread and both ends of the local socket."""
        self._leaving = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._upstream, socket.SHUT_RDWR)  # TLS has a shutdown of its own, not for here
        self._thread.join(timeout=5)
        self.socket.close()

    def _run(self) -> None:
        with self._inner, contextlib.suppress(OSError):  # the local side learns of the end by end-of-file
            self._from_engine()  # before the first wait: an end that TLS has read already makes nothing readable again
            self._to_local()
            while not (self._told and self._up_ended and not self._up):
                self._wait()
                if self._leaving:
                    return
                self._from_engine()
                self._to_local()
                self._from_local()
                self._to_engine()

    def _wait(self) -> None:
        """Wait until there is something to do."""
        poll = select.poll()
        inner = select.POLLIN if not self._up_ended and len(self._up) < _ROOM else 0
        inner |= select.POLLOUT if self._down else 0
        if inner or not self._up_ended:
            poll.register(self._inner, inner)
        upstream = select.POLLIN if not self._down_ended and len(self._down) < _ROOM else 0
        upstream |= select.POLLOUT if self._up else 0
        if upstream:
            poll.register(self._upstream, upstream)
        pending = isinstance(self._upstream, ssl.SSLSocket) and self._upstream.pending() > 0
        poll.poll(0 if pending else None)

    def _from_engine(self) -> None:
        while not self._down_ended and len(self._down) < _ROOM:
            try:
                data = self._upstream.recv(_PIECE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data = b""
            self._down_ended = not data
            self._down += data

    def _to_local(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._down:
                del self._down[: self._inner.send(self._down[:_PIECE])]
            if self._down_ended and not self._told:
                self._told = True
                self._inner.shutdown(socket.SHUT_WR)

    def _from_local(self) -> None:
        while not self._up_ended and len(self._up) < _ROOM:
            try:
                data = self._inner.recv(_PIECE)
            except BlockingIOError:
                return
            if data:
                self._up += data
            else:
                self._up_ended = True
                self._half_close_when_sent()

    def _to_engine(self) -> None:
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self._up:
                del self._up[: self._upstream.send(self._up[:_PIECE])]
                self._half_close_when_sent()

    def _half_close_when_sent(self) -> None:
        if not self._up_ended or self._up:
            return
        with contextlib.suppress(OSError):
            if isinstance(self._upstream, ssl.SSLSocket):
                while waiting := self._upstream.pending():  # OpenSSL refuses to close while decrypted data waits
                    self._down += self._upstream.recv(waiting)
                _close_notify(self._upstream)
            else:
                self._upstream.shutdown(socket.SHUT_WR)


def _close_notify(connection: ssl.SSLSocket) -> None:
    """End the sending half of a TLS connection, and go on reading.

    Python calls SSL_shutdown twice; the second call looks for the peer's answer and breaks the connection if data
    comes instead. So the descriptor is another, silent socket's for that moment, and the alert is passed on.
    """
    descriptor = connection.fileno()
    real = os.dup(descriptor)
    silent, other = socket.socketpair()
    try:
        with silent, other:
            silent.settimeout(0)
            os.dup2(silent.fileno(), descriptor, inheritable=False)
            try:
                connection.unwrap()
            except ssl.SSLError:
                pass  # SSLWantReadError: the answer has not come, which is the point
            finally:
                os.dup2(real, descriptor, inheritable=False)
            other.settimeout(0)
            alert = other.recv(_PIECE)
        while alert:
            select.select([], [real], [])
            alert = alert[os.write(real, alert) :]
    finally:
        os.close(real)
