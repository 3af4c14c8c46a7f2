"""A host without room for what a machine lies in, told in words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devbox.errors import CommandFailedError, MachineError

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_SAID: Final = "no space left on device"  # by a program that devbox has run


@contextmanager
def told_of_room(directory: Path) -> Iterator[None]:
    """Raise `MachineError` for whatever cannot be written within, since the disk of `directory` or another is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _full(str(error.filename or directory)) from error
    except CommandFailedError as error:
        if _SAID not in (error.detail or "").lower():
            raise
        raise _full(str(directory)) from error


def _full(place: str) -> MachineError:
    return MachineError(
        f"{place}, which the machine lies in, cannot be written: {_SAID}",
        hint="make room there, or set XDG_STATE_HOME to another directory",
    )
