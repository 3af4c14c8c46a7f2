"""Whether a Supervisor is there. Hot: `os` and the C module `_socket` alone."""

import _socket
import os
from _struct import pack

FLUSH = b'{"op":"sync.flush","plain":true}\n'  # what is said to have both sides of a sync equal
FLUSH_INWARD = b'{"op":"sync.flush","plain":true,"inward":true}\n'  # what was changed on the host is inside
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


def flush(path: str, *, inward: bool = False) -> str | None:
    """Have both sides of the sync equal, by the Supervisor at `path`; return what has to be said, in one line.

    `inward`: have inside what was changed on the host, and ask for nothing that was changed there.
    None if there is no Supervisor that syncs, or none that answers.
    """
    try:
        connection = connected(path)
    except OSError:
        return None
    try:
        connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, pack("@ll", _FLUSHING, 0))
        connection.sendall(FLUSH_INWARD if inward else FLUSH)
        answer = b""
        while not answer.endswith(b"\n"):
            piece = connection.recv(_ANSWER_MOST)
            answer += piece
            if not piece or len(answer) > _ANSWER_MOST:
                return None
    except OSError:
        return None
    finally:
        connection.close()
    return answer[len(FLUSHED) :].decode("utf-8", "replace").strip() if answer.startswith(FLUSHED) else None
