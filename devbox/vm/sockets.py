"""How a socket in a directory of a machine is reached, and made."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def connected(path: Path, patience: float) -> socket.socket:
    """Return a socket that is connected to the one at `path`, and waits for nothing longer than `patience` seconds.

    Where the system has a short name for a directory, `path` may be longer than a socket's name can be. `OSError` if
    nobody listens there, `BlockingIOError` if `patience` is 0 and so many wait that there is no room for one more.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(patience)
        with _short(path) as name:
            made.connect(name)
    except BaseException:
        made.close()
        raise
    return made


@contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """Give a socket that has the name `path`, for this user alone, and at which nobody listens until somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        with _short(path) as name:
            made.bind(name)
        path.chmod(0o600)
        yield made


@contextmanager
def _short(path: Path) -> Iterator[str]:
    if not hasattr(os, "O_PATH"):
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
