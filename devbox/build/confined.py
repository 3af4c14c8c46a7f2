"""Files of the repo, opened so that no link leads out of it and nothing that is no file is ever read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from devbox.values import printable


class RefusedError(OSError):
    """A path that a build must not read; the text says why, and what to do."""


def resolve(root: Path, path: str) -> Path:
    """Return the real path of `path` (relative to `root`); `RefusedError` if that is outside of `root`.

    `FileNotFoundError` if there is nothing.
    """
    top = Path(os.path.realpath(root))
    found = Path(os.path.realpath(top / path, strict=True))
    if not found.is_relative_to(top):
        raise RefusedError(f"{printable(path)} leads out of the project, to {printable(str(found))}")
    return found


@contextmanager
def opened(root: Path, path: str) -> Iterator[BinaryIO]:
    """Open the regular file `path` below `root` for reading.

    Links inside the project are followed once, by name; after that each part is opened with O_NOFOLLOW, so that
    a part swapped for a link in the meantime is an error and not a way out.
    """
    real = resolve(root, path)
    descriptor = _open_chain(Path(os.path.realpath(root)), real)
    try:
        _require_file(descriptor, path)
        file = os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
    with file:
        yield file


def _require_file(descriptor: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise RefusedError(f"{printable(path)} is no file")


def _open_chain(top: Path, real: Path) -> int:
    handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    parts = real.relative_to(top).parts
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        try:
            # O_NONBLOCK: a fifo must not hang us
            following = os.open(part, flags | (os.O_NONBLOCK if last else os.O_DIRECTORY), dir_fd=handle)
        finally:
            os.close(handle)
        handle = following
    return handle
