"""How a socket in a directory of a machine is reached."""

import os
import socket
from pathlib import Path


def connected(path: Path, patience: float) -> socket.socket:
    """Return a socket that is connected to the one at `path`, and waits for nothing longer than `patience` seconds.

    Where the system has a short name for a directory, `path` may be longer than a socket's name can be. `OSError` if
    nobody listens there, `BlockingIOError` if `patience` is 0 and so many wait that there is no room for one more.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = -1
    try:
        made.settimeout(patience)
        if hasattr(os, "O_PATH"):
            directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            made.connect(f"/proc/self/fd/{directory}/{path.name}")
        else:
            made.connect(str(path))
    except BaseException:
        made.close()
        raise
    finally:
        if directory >= 0:
            os.close(directory)
    return made
