"""The build logs of a Workspace: a file per step, for its owner's eyes alone."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from devbox import paths
from devbox.values import printable, slug


def log_name(number: int, title: str) -> str:
    """Return the file name of the log of the step `number` (counted from 1)."""
    return f"{number:02d}-{slug(title)}.log"


def fresh_directory(directory: Path) -> Path | None:
    """Return `directory`, made, and with the logs of the last build gone; None if it cannot be written (R: go on)."""
    try:
        paths.private_directory(str(directory))
        for old in directory.glob("[0-9][0-9]-*.log"):
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return directory


class StepLog:
    """Writes lines to a log, with control characters escaped; a disk that is full does not stop a build."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def write(self, line: str) -> None:
        """Add one line."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, (printable(line) + "\n").encode("utf-8", "replace"))
