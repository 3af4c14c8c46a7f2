"""Which project a directory belongs to, in text: the rule of `devbox.workspace.locate`, which goes by this."""

from __future__ import annotations

import errno
import os
from _stat import S_ISREG

from devbox import paths

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)


def nearest(start: str, home: str) -> str:
    """Return the directory of the nearest devbox.toml upward from `start`, both real paths; else `start`.

    The search ends at a file-system boundary and at `home`; a directory that we may not look into ends it as well.
    """
    directory, device = start, os.stat(start).st_dev
    while directory != home or start == home:
        try:
            if os.stat(directory).st_dev != device:
                break
            if S_ISREG(os.stat(os.path.join(directory, paths.PROFILE)).st_mode):
                return directory
        except OSError as error:
            if error.errno not in _NOT_THERE:
                break
        parent = os.path.dirname(directory)
        if parent == directory:
            break
        directory = parent
    return start


def project(start: str) -> str | None:
    """Return the real path of the project that `start` belongs to; None if there is no such directory."""
    try:
        real = os.path.realpath(start, strict=True)
        if not os.path.isdir(real):
            return None
        return nearest(real, os.path.realpath(paths.home()))
    except (OSError, ValueError):
        return None


def inside(cwd: str, directory: str, *, guest: str, default: str) -> str:
    """Return `cwd` as it is seen inside if it lies below the project's `directory`, which is `guest` there."""
    if cwd.startswith(directory.rstrip("/") + "/"):
        return guest + cwd[len(directory.rstrip("/")) :]
    return default or guest
