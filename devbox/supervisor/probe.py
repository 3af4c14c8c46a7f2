"""Whether a Supervisor is there. Hot: `os` and C modules alone."""

import _socket
import os
from _struct import pack
from select import POLLIN, poll

FLUSH = b'{"op":"sync.flush","plain":true}\n'  # what is said to have both sides of a sync equal
FLUSH_INWARD = b'{"op":"sync.flush","plain":true,"inward":true}\n'  # what was changed on the host is inside
# The same, of a sync program that has nothing to tell but what it had told by then; after it come 16 hex, and the end.
FLUSH_TOLD = b'{"op":"sync.flush","plain":true,"told":"'
TOLD = 8  # bytes
TOLD_END = b'"}\n'
FLUSHED = b"ok"  # how the answer begins; what has to be said of it follows
NO_SESSION = b"no\n"  # the answer of a Supervisor that syncs nothing
_MOMENT = 100  # ms
_FLUSHING = 120  # seconds for the answer: more than any Supervisor takes
_ANSWER_MOST = 1 << 16  # bytes
_MOST = 107  # bytes of a path that the kernel takes for a unix socket


def alive(path: str) -> bool:
    """Whether somebody listens on the control socket at `path`; asks nothing and waits for nothing."""
    try:
        connection = connected(path, blocking=False)
    except BlockingIOError:
        return True  # so many wait there that there is no room for one more
    except OSError:
        return False
    connection.close()
    return True


def connected(path: str, *, blocking: bool = True) -> _socket.socket:
    """Return a socket that is connected to the one at `path`, however long that is; may raise `OSError`."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.setblocking(blocking)
        if len(os.fsencode(path)) <= _MOST:
            connection.connect(path)
            return connection
        directory, name = os.path.split(path)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/{name}")
        finally:
            os.close(descriptor)
    except BaseException:
        connection.close()
        raise
    return connection


class Flush:
    """Has inside what was changed on the host, by the Supervisor at `path`, and later both sides equal."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: _socket.socket | None = None
        self._ask(FLUSH_INWARD)

    def both(self, told: bytes = b"") -> str | None:
        """Have both sides equal; return as `said`.

        `told`: what is known to be all that the guest has to tell, if it is known (`wire.exit_told`).
        """
        question = FLUSH_TOLD + told.hex().encode() + TOLD_END if told else FLUSH
        if self._connection:  # it may have been closed since: a Supervisor does not wait for ever to be asked
            answer = self._heard(question)
            if answer:
                return _read(answer)
            self.close()
        self._ask(question)
        return self.said()

    def is_soon(self) -> bool:
        """Wait a moment; return whether `said` has nothing to wait for any more."""
        if self._connection is None:
            return True
        waiting = poll()
        waiting.register(self._connection, POLLIN)
        return bool(waiting.poll(_MOMENT))

    def said(self) -> str | None:
        """Wait for it; return what has to be said, in one line, and None if no Supervisor answers that syncs."""
        return _read(self._heard())

    def close(self) -> None:
        """Ask no more; may be called again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, question: bytes) -> None:
        try:
            self._connection = connected(self._path)
            self._connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, pack("@ll", _FLUSHING, 0))
            self._connection.sendall(question)
        except OSError:
            self.close()

    def _heard(self, question: bytes = b"") -> bytes:
        """Return the answer, whole; empty if there is none."""
        answer = b""
        try:
            if self._connection is None:
                return b""
            if question:
                self._connection.sendall(question)
            while not answer.endswith(b"\n"):
                piece = self._connection.recv(_ANSWER_MOST)
                answer += piece
                if not piece or len(answer) > _ANSWER_MOST:
                    return b""
        except BlockingIOError:  # nobody waits for it a second time
            return NO_SESSION
        except OSError:
            return b""
        return answer


def _read(answer: bytes) -> str | None:
    return answer[len(FLUSHED) :].decode("utf-8", "replace").strip() if answer.startswith(FLUSHED) else None
