"""`logs`: what the Environment's first process wrote, what the last build said, or the Supervisor."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from devbox import paths, record
from devbox.errors import UsageError
from devbox.runtimes.base import Instance
from devbox.supervisor.log import OLDER
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current, is_machine

_CHUNK = 64 * 1024
_PAUSE = 0.25  # seconds between two looks at a log that is followed


def logs(
    host: Host, workspace: Workspace, *, follow: bool = False, tail: int | None = None, console: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield `(1 stdout | 2 stderr, bytes)`; with `follow` also what is still going to be written.

    `console`: it is a machine's, and what is no machine raises `UsageError`. An absent Environment yields nothing, but
    with `console` what the last new machine said, if it did not come up.
    """
    instance = current(host, workspace)
    if instance is None:
        if console:
            yield from _files([one for one in (Path(paths.last_console(workspace.hash)),) if one.exists()], tail)
        return
    if console and not is_machine(host, instance):
        raise UsageError(
            f"{workspace.shown} is a container, and has no console", hint="what its first process wrote: devbox logs"
        )
    yield from instance.logs(follow=follow, tail=tail)


def keep_console(workspace: Workspace, machine: Instance) -> None:
    """Keep what the console of a new machine said, which did not come up and goes; a full disk loses it."""
    with contextlib.suppress(OSError):
        said = b"".join(data for _, data in machine.logs())
        paths.private_directory(paths.workspace_state(workspace.hash))
        record.write_text(paths.last_console(workspace.hash), said.decode("utf-8", "replace"))


def forget_console(workspace: Workspace) -> None:
    """Have no more of that."""
    Path(paths.last_console(workspace.hash)).unlink(missing_ok=True)


def build_log(workspace: Workspace, *, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield what each step of the last build said, `(1, bytes)`; nothing if there was no build."""
    yield from _files(sorted(Path(paths.log_directory(workspace.hash)).glob("*.log")), tail)


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
