"""What the next question about packages is asked in, started before the profile is read; see `build.early`."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.build.early import early
from devbox.workspace.context import Host, Workspace

_LIMIT: Final = 1_000_000  # characters


def remember(workspace: Workspace, text: str) -> None:
    """Keep what the container of the next question is made of; quietly not, if that cannot be written."""
    path = paths.asking_file(workspace.hash)
    if _read(path) == text:
        return
    with contextlib.suppress(OSError):
        paths.private_directory(os.path.dirname(path))  # noqa: PTH120 (paths are text)
        record.write_text(path, text)


@contextmanager
def asking_early(host: Host, workspace: Workspace) -> Iterator[Host]:
    """Within, there is a Host for whose first question a container is being started; none is left of it."""
    text = _read(paths.asking_file(workspace.hash))
    with early(lambda: host.engine, text) as found:
        yield replace(host, connect=lambda: host.engine, early=found)


def _read(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LIMIT)
    except (OSError, ValueError):
        return ""
