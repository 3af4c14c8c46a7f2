"""Files that devbox writes into somebody's project: whole or not at all, and the project's owner's."""

import os
from pathlib import Path


def write_in_project(path: Path, text: str, *, new: bool = False) -> None:
    """Write `text` to `path`, a file of a project, keeping the mode of one that is there; `OSError` if that fails.

    `new`: `FileExistsError` where there is one.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _remove_left(path)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            if not new and path.is_file():
                os.fchmod(descriptor, path.stat().st_mode & 0o777)
            os.fsync(descriptor)
            _give_to_owner(descriptor, path.parent)
        if new:
            os.link(temporary, path)  # unlike rename it fails where there is one by now
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """Remove what processes left that were killed while they wrote `path`."""
    for left in path.parent.glob(f".{path.name}.*"):
        number = left.name.rpartition(".")[2]
        if number.isdecimal() and (int(number) == os.getpid() or not _lives(int(number))):
            left.unlink(missing_ok=True)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _give_to_owner(descriptor: int, directory: Path) -> None:
    """Give a file that root writes in somebody's project to that somebody."""
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
