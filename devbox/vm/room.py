"""A host without room for what a machine lies in, told in words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devbox.errors import CommandFailedError, MachineError

NO_ROOM: Final = "no space left on device"  # as a program that devbox has run says it, in any case of letters
_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT)


def ran_out(error: CommandFailedError) -> bool:
    """Tell whether a program failed since a disk is full."""
    return NO_ROOM in (error.detail or "").lower()


@contextmanager
def told_of_room(directory: Path) -> Iterator[None]:
    """Raise `MachineError` for whatever cannot be written within, since the disk of `directory` or another is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ERRORS:
            raise
        raise _full(str(error.filename or directory)) from error
    except CommandFailedError as error:
        if not ran_out(error):
            raise
        raise _full(str(directory)) from error


def _full(place: str) -> MachineError:
    return MachineError(
        f"{place}, which the machine lies in, cannot be written: {NO_ROOM}",
        hint="make room there, or set XDG_STATE_HOME to another directory",
    )
