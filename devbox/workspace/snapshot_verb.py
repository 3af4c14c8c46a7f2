"""`snapshot`: keep a machine under a name, and let it be as it was then."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import DevboxError, NotRunningError, SnapshotError, UsageError
from devbox.profile.explain import digest
from devbox.record import RecordFromTheFuture, read
from devbox.runtimes.base import Instance, InstanceState
from devbox.runtimes.snapshots import Return, Snapshot, Snapshots, Wish, not_there
from devbox.runtimes.vm import snapshots as on_this_host
from devbox.sync.memory import remembered
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile
from devbox.workspace.find import current, is_machine
from devbox.workspace.locks import lock_digest
from devbox.workspace.outcome import UpResult
from devbox.workspace.ports import end
from devbox.workspace.state import locked
from devbox.workspace.sync_order import forget_ancestor, keep, kept
from devbox.workspace.syncing import flush, is_synced, leave
from devbox.workspace.unsynced import Removal, require_nothing_unsynced, save_unsynced
from devbox.workspace.up import up

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PUSHED: Final = "push_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How to restore. `boot`: from the disks, though what ran was kept; `start`: it runs afterwards.

    `force`: what is inside alone goes to an archive first, and is given up if it cannot be looked into.
    """

    boot: bool = False
    start: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored, and how it came up, if it was to."""

    snapshot: Snapshot
    up: UpResult | None


def listed(host: Host, workspace: Workspace) -> tuple[Snapshot, ...]:
    """Return the Workspace's snapshots, the oldest first; `UsageError` for what has none."""
    _refuse(host, workspace, current(host, workspace))
    return on_this_host.kept_of(workspace.hash)


def save(host: Host, workspace: Workspace, name: str | None, *, force: bool = False) -> Snapshot:
    """Keep the machine under `name`, which it finds itself if there is none; `force`: in place of one of this name.

    What runs goes on. `UsageError`, `SnapshotError` or `MachineError` if it cannot be kept; then there is no new one.
    """
    if name is not None:
        _require_name(name)
    with locked(host, workspace, "devbox snapshot save"):
        instance, snapshots = _machine(host, workspace)
        wish = name if name is not None else _free(snapshots)
        with host.reporter.step(f"keep {instance.name} as {wish}"), _ancestor(host, workspace, instance) as ancestor:
            return snapshots.save(
                Wish(
                    name=wish,
                    mark=_mark(workspace, instance),
                    pushed=name is None,
                    attached=ancestor,
                    replace=force,
                )
            )


def restore(host: Host, workspace: Workspace, name: str, choice: Choice) -> Restored:
    """Let the machine be as it was when `name` was saved; what has changed inside since is gone.

    `UnsyncedError` if that would take work which is nowhere else, unless `choice.force`. Otherwise as `save`: what
    cannot be restored is left as it is.
    """
    instance, snapshots = _machine(host, workspace)
    found = next((one for one in snapshots.all() if one.name == name), None)
    if found is None:
        raise not_there(name)
    _require_fit(host, workspace, instance, found, choice)
    _settle_unsynced(host, workspace, name, force=choice.force)
    with locked(host, workspace, "devbox snapshot restore"):
        instance, snapshots = _machine(host, workspace)
        with host.reporter.step(f"let {instance.name} be as {name}"):
            back = Return(
                name=name,
                attached=Path(paths.sync_state(workspace.hash)),
                before=lambda: _leave(host, workspace, instance),
                running=not choice.boot,
            )
            done = snapshots.restore(back)
    return Restored(snapshot=done, up=up(host, workspace) if choice.start else None)


def pop(host: Host, workspace: Workspace, choice: Choice, *, delete_it: bool) -> Restored:
    """Restore the last one that `push` saved and, with `delete_it`, take it away when that is done."""
    _, snapshots = _machine(host, workspace)
    pushed = [one.name for one in snapshots.all() if one.pushed]
    if not pushed:
        raise UsageError("no snapshot was pushed", hint="devbox snapshot push; or by its name: devbox snapshot list")
    done = restore(host, workspace, pushed[-1], choice)
    if delete_it:
        delete(host, workspace, pushed[-1])
    return done


def delete(host: Host, workspace: Workspace, name: str) -> Snapshot:
    """Take the snapshot `name` away, also of a machine that is gone; `UsageError` if there is none."""
    _refuse(host, workspace, current(host, workspace))
    with locked(host, workspace, "devbox snapshot delete"):
        return on_this_host.delete(workspace.hash, name)


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a snapshot cannot be called {name!r}",
            hint="letters, digits, dots, dashes and underscores, at most 64, and the first a letter or digit",
        )


def _free(snapshots: Snapshots) -> str:
    """Return a name for one that is pushed."""
    known = {one.name for one in snapshots.all()}
    return next(name for number in range(1, len(known) + 2) if (name := f"{_PUSHED}{number}") not in known)


def _machine(host: Host, workspace: Workspace) -> tuple[Instance, Snapshots]:
    instance = current(host, workspace)
    _refuse(host, workspace, instance)
    if instance is None or instance.snapshots is None:
        raise NotRunningError(f"there is no machine of {workspace.name}", hint="devbox up")
    return instance, instance.snapshots


def _refuse(host: Host, workspace: Workspace, instance: Instance | None) -> None:
    """Refuse what nothing can be kept of."""
    if instance is not None and instance.snapshots is None:
        if is_machine(host, instance):
            raise UsageError(
                f"{workspace.shown} shares the project's files live, so there are no snapshots of it",
                hint='sync the files: [sync] mode = "two-way" in devbox.toml, devbox up',
            )
        raise UsageError(
            f"{workspace.shown} is a container: there are snapshots of machines alone",
            hint='write runtime = "vm" in devbox.toml; a container is made anew from it by devbox destroy, devbox up',
        )


def _mark(workspace: Workspace, instance: Instance) -> str:
    """Return what else the Instance is, beside what it was made from: what it was changed into while it ran."""
    try:
        known = read(paths.record_file(workspace.hash))
    except RecordFromTheFuture:
        return ""
    if known is None or known["instance"] != instance.id:
        return ""
    return " ".join(filter(None, (known["adopted"], known["behind"])))


def _require_fit(host: Host, workspace: Workspace, instance: Instance, found: Snapshot, choice: Choice) -> None:
    """Refuse a snapshot that the next `up` would throw away again, since the environment is to be another one."""
    if found.problem:  # which the runtime says
        return
    if found.mark != _mark(workspace, instance):
        raise SnapshotError(
            f"the snapshot {found.name} is of another environment: devbox add or remove has changed it",
            hint="put devbox.toml and devbox.lock back as they were then, devbox up, and restore it again",
        )
    if choice.start and _is_stale(host, workspace):
        raise SnapshotError(
            "devbox.toml or devbox.lock has changed since devbox up, which would make the machine anew",
            hint="devbox up first; or put them back as they were",
        )


def _is_stale(host: Host, workspace: Workspace) -> bool:
    known = read(paths.record_file(workspace.hash))
    if known is None or not known["profile"]:
        return False
    loaded = load_profile(host, workspace)
    return known["profile"] != digest(loaded.profile) or known["lock"] != lock_digest(host, workspace)


def _settle_unsynced(host: Host, workspace: Workspace, name: str, *, force: bool) -> None:
    """Let nothing go that is inside alone, unless somebody has said so."""
    again = f"devbox snapshot restore {name} --force"
    removal = Removal(
        command="devbox snapshot restore", hint=f"{again}, which keeps an archive of it", believes_halt=True
    )
    if not force:
        require_nothing_unsynced(host, workspace, removal)
        return
    try:
        save_unsynced(host, workspace, removal)
    except DevboxError as error:
        host.reporter.warn(f"what is inside alone is given up: {error.message}")


def _leave(host: Host, workspace: Workspace, instance: Instance) -> None:
    """Bring home what is inside, end the sync, and let no later one believe that it knows what the guest has."""
    leave(host, workspace, [instance])
    end(host, workspace)
    forget_ancestor(workspace.hash)
    known = kept(workspace.hash)
    if known is not None:
        keep(workspace.hash, known[0])


@contextmanager
def _ancestor(host: Host, workspace: Workspace, instance: Instance) -> Iterator[Path | None]:
    """Have both sides equal, and give a copy of what the sync knows of them; None if it knows nothing."""
    if not is_synced(instance):
        yield None
        return
    supervisor = host.supervision.find(workspace.hash)
    if instance.state is InstanceState.RUNNING and supervisor and supervisor.ask_sync("status")["active"]:
        flush(supervisor)
    copy = Path(paths.sync_copy(workspace.hash))
    copy.unlink(missing_ok=True)  # of one that was killed
    try:
        yield copy if remembered(paths.sync_state(workspace.hash), str(copy)) else None
    finally:
        copy.unlink(missing_ok=True)
