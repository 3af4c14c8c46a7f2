"""Whether a Supervisor is there. Hot: `os` and the C module `_socket` alone."""

import _socket
import os
from _struct import pack

FLUSH = b'{"op":"sync.flush","plain":true}\n'  # what is said to have both sides of a sync equal
FLUSH_INWARD = b'{"op":"sync.flush","plain":true,"inward":true}\n'  # what was changed on the host is inside
# The same, of a sync program that has nothing to tell but what it had told by then; after it come 16 hex, and the end.
FLUSH_TOLD = b'{"op":"sync.flush","plain":true,"told":"'
TOLD = 8  # bytes
TOLD_END = b'"}\n'
FLUSHED = b"ok"  # how the answer begins; what has to be said of it follows
NO_SESSION = b"no\n"  # the answer of a Supervisor that syncs nothing
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
    """Has both sides of the sync equal, by the Supervisor at `path`.

    `inward`: has inside what was changed on the host, and asks for nothing that was changed there. `told`: what is
    known to be all that the guest has to tell, if it is known (`wire.exit_told`).
    """

    def __init__(self, path: str, *, inward: bool = False, told: bytes = b"") -> None:
        self._connection: _socket.socket | None = None
        try:
            self._connection = connected(path)
            self._connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, pack("@ll", _FLUSHING, 0))
            both = FLUSH_TOLD + told.hex().encode() + TOLD_END if told else FLUSH
            self._connection.sendall(FLUSH_INWARD if inward else both)
        except OSError:
            self.close()

    def said(self) -> str | None:
        """Wait for it; return what has to be said, in one line, and None if no Supervisor answers that syncs."""
        if self._connection is None:
            return None
        answer = b""
        try:
            while not answer.endswith(b"\n"):
                piece = self._connection.recv(_ANSWER_MOST)
                answer += piece
                if not piece or len(answer) > _ANSWER_MOST:
                    return None
        except OSError:
            return None
        finally:
            self.close()
        return answer[len(FLUSHED) :].decode("utf-8", "replace").strip() if answer.startswith(FLUSHED) else None

    def close(self) -> None:
        """Wait for it no more; may be called again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
