"""What an Environment holds that is nowhere else, before it is taken away: named, or saved to an archive."""

import shlex
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import DevboxError, UnsyncedError
from devbox.runtimes.base import Instance, InstanceState
from devbox.sync.guest import open_guest
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_WORKSPACE, ROLE_WORKSPACE, printable
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current
from devbox.workspace.salvage import salvage
from devbox.workspace.sync_order import kept
from devbox.workspace.syncing import flush, guest_only, is_synced, session

_SHOWN: Final = 20  # paths that an error names
EVERYTHING: Final = ""  # stands for all that there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What takes away what an Environment holds: its command, and what to do with it.

    `believes_halt`: what a halt has found is enough to know, also if it was nothing.
    """

    command: str = "devbox destroy"
    hint: str = "devbox destroy --force, which keeps an archive of it"
    believes_halt: bool = False


DESTROY: Final = Removal()


def require_nothing_unsynced(host: Host, workspace: Workspace, removal: Removal = DESTROY) -> None:
    """Raise `UnsyncedError`, with the paths, if the Environment holds work that is not in the project's directory."""
    left = _left(host, workspace, removal)
    if not left:
        return
    raise UnsyncedError(
        f"{workspace.container_name} holds what is not in {workspace.directory}",
        detail=_listed(left),
        hint=f"devbox sync conflicts, and decide; or {removal.hint}",
    )


def save_unsynced(host: Host, workspace: Workspace, removal: Removal = DESTROY) -> Path | None:
    """Put what `require_nothing_unsynced` would name into an archive, and return where; None if there is nothing."""
    left = _left(host, workspace, removal)
    if not left:
        return None
    instance = _running(host, workspace)
    known = kept(workspace.hash)
    if instance is None or known is None or not is_synced(instance):
        mounted = instance is not None and not is_synced(instance)
        again = 'let sync.mode be "two-way" as before, devbox up' if mounted else "devbox up"
        raise UnsyncedError(
            f"what {workspace.container_name} holds cannot be saved, since it cannot be looked into",
            detail=_listed(left),
            hint=f"{again}, then again; or give it up: {_giving_up(workspace)}",
        )
    name = f"{workspace.container_name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar"
    target = Path(paths.private_directory(paths.saved_directory(workspace.hash))) / name
    order = known[0]
    with closing(open_guest(instance.connect(), instance.spec_digest, user=order.user, root=order.guest)) as guest:
        salvage(guest, left, apart=order.volumes, target=target)
    host.reporter.note(f"saved what was inside alone: {target}")
    return target


def _listed(left: list[str]) -> str:
    shown = [printable(path) or "nobody knows what, since it cannot be looked into" for path in left[:_SHOWN]]
    return "\n".join([*shown, *([f"... and {len(left) - _SHOWN} more"] if len(left) > _SHOWN else [])])


def _giving_up(workspace: Workspace) -> str:
    disk = Path(paths.machine_data(workspace.hash))
    return f"rm {shlex.quote(str(disk))}" if disk.exists() else f"docker volume rm {workspace.container_name}-workspace"


def _left(host: Host, workspace: Workspace, removal: Removal) -> list[str]:
    """Return the paths; what nobody knows is found out by a last sync, for which a stopped container is started."""
    known = kept(workspace.hash)
    if known is None or not _has_copy(host, workspace):
        return []
    if not workspace.directory.is_dir():
        return [EVERYTHING]
    instance = current(host, workspace)
    if instance is None:  # it was removed by hand, or by a destroy that was killed
        return [EVERYTHING] if known[1] is None else known[1]
    if not is_synced(instance):  # it is mounted now, and the copy of before is still there
        return [EVERYTHING] if known[1] is None else known[1]
    # That nothing was left when it was halted says nothing of what its processes wrote while they ended.
    halted = instance.state is not InstanceState.RUNNING
    if halted and (known[1] or (removal.believes_halt and known[1] is not None)):
        return known[1]
    return _looked_for(host, workspace, removal.command)


def _looked_for(host: Host, workspace: Workspace, command: str) -> list[str]:
    instance = _running(host, workspace)
    if instance is None:
        return [EVERYTHING]
    try:
        with host.reporter.step("look for what is inside alone"):
            supervisor = session(host, workspace, instance, command)
            status = flush(supervisor)
            # Where both sides were not looked at to the end, what was known before says nothing.
            return guest_only(supervisor) if status["settled"] else [EVERYTHING]
    except DevboxError:
        return [EVERYTHING]


def _has_copy(host: Host, workspace: Workspace) -> bool:
    if Path(paths.machine_data(workspace.hash)).exists():
        return True  # its machine has one, or had
    labels = {LABEL_OWNER: host.owner, LABEL_WORKSPACE: workspace.hash, LABEL_ROLE: ROLE_WORKSPACE}
    return any(volume.name == f"{workspace.container_name}-workspace" for volume in host.engine.volumes(labels))


def _running(host: Host, workspace: Workspace) -> Instance | None:
    instance = current(host, workspace)
    if instance is None:
        return None
    try:
        instance.start()
    except DevboxError:
        return None
    return current(host, workspace)
