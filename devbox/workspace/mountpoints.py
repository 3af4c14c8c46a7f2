"""Mount points below the project: without one on the host, the engine would make it there as root."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from devbox.errors import ProfileError
from devbox.faults import fault
from devbox.values import printable
from devbox.workspace.context import Workspace


def _on_host(workspace: Workspace, targets: Iterable[str]) -> list[Path]:
    """Return the host's path of each of `targets` that lies below the project, outermost first."""
    inside = PurePosixPath(workspace.guest_directory)
    below = [PurePosixPath(target) for target in targets]
    paths = [workspace.directory / path.relative_to(inside) for path in below if inside in path.parents]
    return sorted(paths, key=lambda path: len(path.parts))


def prepare(workspace: Workspace, targets: Iterable[str]) -> None:
    """Make the mount points that are missing, owned by the project's owner.

    Raises `ProfileError` if something else than a directory stands there: a link could lead anywhere.
    """
    owner = workspace.directory.stat()
    for path in _on_host(workspace, targets):
        parts = path.relative_to(workspace.directory).parts
        for depth in range(1, len(parts) + 1):
            _make(workspace.directory.joinpath(*parts[:depth]), uid=owner.st_uid, gid=owner.st_gid)


def _make(path: Path, *, uid: int, gid: int) -> None:
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise ProfileError(
            f"{printable(str(path))} is no directory, so nothing can be mounted there",
            hint="move it away; inside, it is a volume of its own",
        )
    if path.is_dir():
        return
    fault(f"make directory {path.name}")
    path.mkdir(mode=0o755, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, uid, gid, follow_symlinks=False)
    fault(f"directory {path.name} made")


def clear(workspace: Workspace, targets: Iterable[str]) -> None:
    """Remove the mount points that are empty; what has something in it is the user's."""
    for path in reversed(_on_host(workspace, targets)):
        if path.is_symlink():
            continue
        with contextlib.suppress(OSError):  # not empty, not there, or mounted
            fault(f"remove directory {path.name}")
            path.rmdir()
