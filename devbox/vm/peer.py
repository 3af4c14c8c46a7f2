"""Who is at the other end of a socket. Lean."""

import _socket
from _struct import calcsize, unpack

_CREDENTIALS = "3i"  # pid, uid, gid


def process_of(connected: _socket.socket) -> int | None:
    """Return the process that listens at the other end, or did when this was connected; None where nobody tells."""
    if not hasattr(_socket, "SO_PEERCRED"):
        return None
    size = calcsize(_CREDENTIALS)
    pid, _, _ = unpack(_CREDENTIALS, connected.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, size))
    return int(pid)
