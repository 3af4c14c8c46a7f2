"""The Supervisor's log: lines with a time, in one file that is bounded, and the one before it."""

import os
import time
from pathlib import Path
from typing import Final

from devbox.values import printable

MOST: Final = 1 << 20  # bytes after which the file becomes the older one
OLDER: Final = ".1"  # what the older one's name has more


class Log:
    """Appends to the file at `path`. With `streams`, stdout and stderr of this process go there as well."""

    def __init__(self, path: str, *, streams: bool = False) -> None:
        self._path = Path(path)
        self._streams = streams
        self._descriptor = self._open()

    def say(self, text: str) -> None:
        """Write a line; what cannot be written is lost, since there is nobody to tell."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            os.write(self._descriptor, f"{stamp} {printable(text)}\n".encode())
            if os.fstat(self._descriptor).st_size > MOST:
                self._turn()
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _turn(self) -> None:
        self._path.replace(f"{self._path}{OLDER}")
        os.close(self._descriptor)
        self._descriptor = self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        if self._streams:
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
        return descriptor
