"""Whether a Supervisor is there. Hot: `os` and the C module `_socket` alone."""

import _socket
import os

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
