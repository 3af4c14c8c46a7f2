"""`logs`: what the Environment's first process wrote, or what the last build said."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from devbox import paths
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current

_CHUNK = 64 * 1024


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


def _build(workspace: Workspace, tail: int | None) -> Iterator[tuple[int, bytes]]:
    files = sorted(Path(paths.log_directory(workspace.hash)).glob("*.log"))
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
