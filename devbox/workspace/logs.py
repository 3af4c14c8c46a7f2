"""`logs`: what the Environment's first process wrote, what the last build said, or the Supervisor."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from devbox import paths
from devbox.supervisor.log import OLDER
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current

_CHUNK = 64 * 1024
_PAUSE = 0.25  # seconds between two looks at a log that is followed


def logs(
    host: Host, workspace: Workspace, *, follow: bool = False, tail: int | None = None, build: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield `(1 stdout | 2 stderr, bytes)`; of the step logs of the last build with `build`.

    An absent Environment (or build) yields nothing.
    """
    if build:
        yield from _build(workspace, tail)
        return
    instance = current(host, workspace)
    if instance is not None:
        yield from instance.logs(follow=follow, tail=tail)


def supervisor_log(
    workspace: Workspace, *, follow: bool = False, tail: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield what the Supervisor has said, `(1, bytes)`; with `follow` also what it, or the next one, will say."""
    path = Path(paths.supervisor_log(workspace.hash))
    offset, identity = _size(path)
    yield from _files([one for one in (Path(f"{path}{OLDER}"), path) if one.exists()], tail)
    while follow:
        time.sleep(_PAUSE)
        size, now = _size(path)
        if now != identity:  # turned, or made anew
            offset, identity = 0, now
        if size > offset:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(_CHUNK)
            offset += len(data)
            yield 1, data


def _size(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_ino


def _build(workspace: Workspace, tail: int | None) -> Iterator[tuple[int, bytes]]:
    yield from _files(sorted(Path(paths.log_directory(workspace.hash)).glob("*.log")), tail)


def _files(files: Sequence[Path], tail: int | None) -> Iterator[tuple[int, bytes]]:
    if tail is None:
        for path in files:
            yield from ((1, chunk) for chunk in _chunks(path))
        return
    last: deque[bytes] = deque(maxlen=tail)
    for path in files:
        with path.open("rb") as file:
            last.extend(file)
    yield from ((1, line) for line in last)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
