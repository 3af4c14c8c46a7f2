"""What is typed at a machine's serial console: a pipe with a name, which QEMU reads as its stdin.

What the machine says goes another way (`console`), so this serves one that nobody sits at as well.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from devbox.errors import MachineError

NAME: Final = "keys"  # in the machine's directory


@contextlib.contextmanager
def keyboard(directory: Path) -> Iterator[int]:
    """Give the end of the pipe that QEMU is to have as its stdin, made if it is not there."""
    path = directory / NAME
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    # For both, so that nobody waits for the other end, and it has no end when nobody types.
    descriptor = _opened(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def typing(directory: Path) -> Iterator[int]:
    """Give the end to type at; `MachineError` if nobody reads there."""
    descriptor = _opened(directory / NAME, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(path: Path, how: int) -> int:
    try:
        descriptor = os.open(path, how | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise MachineError(
            f"nobody reads what is typed at {path}", hint="start it again: devbox halt, devbox up"
        ) from error
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MachineError(f"{path} is no pipe", hint="remove it, and: devbox halt, devbox up")
    return descriptor
