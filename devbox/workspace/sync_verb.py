"""`sync`: what is asked of the SyncSession of an Environment, and what was replaced on this host and can come back."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from devbox.errors import StateError, UsageError
from devbox.runtimes.base import Instance, InstanceState
from devbox.supervisor.client import Supervisor
from devbox.sync.trash import Batch, Trash, Undone
from devbox.workspace import syncing
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current, running
from devbox.workspace.sync_order import MOUNT, kept
from devbox.workspace.syncing import is_synced

Document = dict[str, Any]

_COMMAND: Final = "devbox sync"
NOTHING: Final[Document] = {
    "mode": None, "state": "absent", "reason": "", "entries": 0, "pending": 0, "files": 0, "bytes": 0, "removed": 0,
    "moved": 0, "conflicts": [], "kept": [], "troubles": [], "warnings": [], "last_cycle": 0, "last_verify": 0,
}  # fmt: skip
LATEST: Final = "last"


def status(host: Host, workspace: Workspace) -> Document:
    """Return how the project's files get inside, and how that goes; changes and starts nothing.

    `mode`: "mount", that of the session, or None where nobody knows. `state`: mounted, absent, halted environment
    ("stopped"), ended (the session has, though the Environment runs), or what the session does.
    """
    instance = current(host, workspace)
    if instance is None:
        return dict(NOTHING)
    if not is_synced(instance):
        return {**NOTHING, "mode": MOUNT, "state": "mounted"}
    known = kept(workspace.hash)
    mode = None if known is None else known[0].mode
    if instance.state is not InstanceState.RUNNING:
        return {**NOTHING, "mode": mode, "state": "stopped"}
    supervisor = host.supervision.find(workspace.hash)
    answer: Document = {"active": False} if supervisor is None else supervisor.ask_sync("status")
    if not answer["active"]:
        return {**NOTHING, "mode": mode, "state": "ended"}
    return {**NOTHING, **answer["status"]}


def flush(host: Host, workspace: Workspace) -> Document:
    """Have both sides equal; return the status, and `settled`. Of a mount they are."""
    instance = running(host, workspace)
    if not is_synced(instance):
        return {**NOTHING, "mode": MOUNT, "state": "mounted", "settled": True}
    return {**NOTHING, **syncing.flush(_session(host, workspace, instance))}


def ask(host: Host, workspace: Workspace, request: str, **values: object) -> Document:
    """Ask what only a session can answer; `UsageError` where the project is mounted."""
    instance = running(host, workspace)
    if not is_synced(instance):
        raise UsageError(
            "the project is mounted, so there is nothing to sync", hint='write mode = "two-way" below [sync], then: up'
        )
    return _session(host, workspace, instance).ask_sync(request, **values)


def inside_path(host: Host, workspace: Workspace, text: str) -> str:
    """Return what somebody typed as a path of the project, relative to it; `UsageError` if it lies elsewhere."""
    typed = os.path.normpath(os.path.join(host.cwd, text))  # noqa: PTH118 (no link may be followed)
    if text in (".", "") or typed == str(workspace.directory):
        return ""
    if not typed.startswith(f"{workspace.directory}/"):
        raise UsageError(f"{text!r} does not lie in the project {workspace.directory}", hint="devbox sync conflicts")
    return os.path.relpath(typed, workspace.directory)


def batches(workspace: Workspace) -> list[Batch]:
    """Return what was replaced or removed on this host, the newest first."""
    with _trash(workspace) as trash:
        return trash.batches()


def undo(workspace: Workspace, name: str) -> tuple[Undone, ...]:
    """Bring back what is in the trash under `name` ("last": the newest); `UsageError` if there is no such thing."""
    with _trash(workspace) as trash:
        found = trash.batches()
        wanted = found[:1] if name == LATEST else [one for one in found if os.fsdecode(one.name) == name]
        if not wanted:
            raise UsageError(f"nothing was replaced under the name {name!r}", hint="devbox sync undo lists what was")
        return tuple(trash.undo(wanted[0], time.time()))


@contextmanager
def _trash(workspace: Workspace) -> Iterator[Trash]:
    try:
        trash = Trash(workspace.directory)
        try:
            yield trash
        finally:
            trash.close()
    except OSError as error:
        raise StateError(
            f"the trash of {workspace.directory} cannot be used: {(error.strerror or str(error)).lower()}",
            hint="look at .devbox/trash in the project",
        ) from error


def _session(host: Host, workspace: Workspace, instance: Instance) -> Supervisor:
    return syncing.session(host, workspace, instance, _COMMAND)
