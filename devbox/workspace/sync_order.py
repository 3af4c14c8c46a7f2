"""What is to be synced: from a profile and a spec to the Supervisor's order, and the file that keeps it.

`up` of a kept plan imports this as well, so nothing here may need the profile's model.
"""

import json
from contextlib import suppress
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING, Any, Final

from devbox import paths, record
from devbox.runtimes.base import Features, InstanceSpec
from devbox.supervisor.order import Rule, SyncOrder, order_document, parse_order
from devbox.supervisor.protocol import ControlError
from devbox.workspace.context import Workspace

if TYPE_CHECKING:
    from devbox.profile.load import Loaded
    from devbox.profile.model import Sync

SCHEMA: Final = 1
MOUNT: Final = "mount"
_AUTO: Final = "auto"
_TWO_WAY: Final = "two-way"


def mode(sync: "Sync", features: Features) -> str:
    """Return how the project's files get inside: "mount" or a mode of a SyncSession. Pure."""
    if sync.mode != _AUTO:
        return sync.mode
    return MOUNT if features.bind_mounts else _TWO_WAY


def sync_order(loaded: "Loaded", workspace: Workspace, spec: InstanceSpec, *, mode: str) -> SyncOrder | None:
    """Return what is to be synced for `spec`; None if the project is mounted."""
    if mode == MOUNT:
        return None
    sync = loaded.profile.sync
    return SyncOrder(
        host=str(workspace.directory),
        guest=workspace.guest_directory,
        user=f"{spec.user.uid}:{spec.user.gid}",
        mode=mode,
        git=sync.git,
        ignore=sync.ignore,
        volumes=_apart(sync, workspace, spec),
        allow=sync.allow,
        protect=_read_here(loaded, workspace),
        rules=tuple(_rule(one) for one in sync.on_change),
        machine=workspace.machine,
    )


def _rule(one: Any) -> Rule:  # noqa: ANN401 (OnChange, which only type checkers may import here)
    return Rule(paths=one.paths, do=one.do or "run", task=one.run or "")


def _apart(sync: "Sync", workspace: Workspace, spec: InstanceSpec) -> tuple[str, ...]:
    """Return the directories of the project that are not synced: the profile's, and what is mounted inside."""
    root = PurePosixPath(workspace.guest_directory)
    places = (*(one.target for one in spec.volumes), *(one.target for one in spec.shares))
    targets = [PurePosixPath(place) for place in places]
    mounted = [str(target.relative_to(root)) for target in targets if root in target.parents]
    return tuple(sorted({*map(normpath, sync.volumes), *mounted}))


def _read_here(loaded: "Loaded", workspace: Workspace) -> tuple[str, ...]:
    """Return the files of the project that decide what it gets of the host; nothing inside may write them here."""
    own = [*loaded.files, workspace.directory / paths.PROFILE, workspace.directory / paths.LOCAL_PROFILE]
    found = {path.relative_to(workspace.directory) for path in own if path.is_relative_to(workspace.directory)}
    return tuple(sorted(map(str, found)))


def keep(path_hash: str, order: SyncOrder, *, left: list[str] | None = None) -> None:
    """Keep `order` for a later command; quietly not where nothing can be written, as the Record.

    `left`: of an Environment that has been halted, what was inside alone then; None while that is not known.
    """
    text = json.dumps({"schema": SCHEMA, "order": order_document(order), "left": left}, indent=1)
    with suppress(OSError):
        record.write_text(paths.sync_order(path_hash), text + "\n")


def kept(path_hash: str) -> tuple[SyncOrder, list[str] | None] | None:
    """Return what was kept, and what was left inside; None if there is none, or none that can be used."""
    try:
        document = json.loads(Path(paths.sync_order(path_hash)).read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            return None
        left = document["left"]
        return parse_order(document["order"]), None if left is None else list(map(str, left))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ControlError):
        return None


def forget_left(path_hash: str) -> None:
    """Know that nothing is inside alone which anybody wants: of a destroy that is killed, the next one finishes it."""
    known = kept(path_hash)
    if known is not None:
        keep(path_hash, known[0], left=[])


def drop(path_hash: str) -> None:
    """Keep nothing of what is to be synced; what both sides had stays known, as long as the volume is there."""
    with suppress(OSError):
        Path(paths.sync_order(path_hash)).unlink()


def forget(path_hash: str) -> None:
    """Keep nothing, and let no later session believe that it knows both sides."""
    drop(path_hash)
    forget_ancestor(path_hash)


def forget_ancestor(path_hash: str) -> None:
    """Let no later session believe that it knows both sides."""
    for end in ("", "-wal", "-shm", ".copy"):
        with suppress(FileNotFoundError):
            Path(paths.sync_state(path_hash) + end).unlink()
