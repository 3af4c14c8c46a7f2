"""The SyncSession of an Environment: begun, waited for, and left.

`up` of a kept plan imports this as well, so nothing here may need the profile's model.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from devbox.errors import DevboxError, SupervisorError, SyncError
from devbox.reporter import Progress
from devbox.runtimes.base import Instance, InstanceState
from devbox.supervisor.client import Supervisor
from devbox.supervisor.order import SyncOrder
from devbox.supervisor.syncing import PATIENCE
from devbox.supervisor.words import DISCONNECTED, HALTED, PAUSED, notice
from devbox.values import LABEL_PROJECT
from devbox.workspace.agent import agent_spec
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current
from devbox.workspace.state import locked
from devbox.workspace.sync_order import drop, keep, kept

_QUIETLY: Final = 0.3  # seconds for which nobody has to be told what is waited for
_SLICE: Final = 0.5  # seconds between two words about how far it is
_GUEST_PATIENCE: Final = 20.0  # seconds for the guest's end to come up
_LAST_PATIENCE: Final = 5.0  # the same where all that runs in it is about to end
_UP_AGAIN: Final = "devbox up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What came of it: in words what had to be done, and what a person has to know."""

    done: tuple[str, ...] = ()
    said: str = ""


def is_synced(instance: Instance) -> bool:
    """Whether the project is a copy inside."""
    return LABEL_PROJECT in instance.labels


def relayed(host: Host, workspace: Workspace) -> str:
    """Return what a Supervisor has to know if its agent is reached through the engine alone; else "".

    That is the project's directory, and before it, for one of several machines, its name and a colon.
    """
    machine = f"{workspace.machine}:" if workspace.machine else ""
    return "" if agent_spec(host, workspace).directory else f"{machine}{workspace.directory}"


def begin(host: Host, workspace: Workspace, order: SyncOrder | None, *, identity: str) -> Synced:
    """Have the SyncSession of the running Environment `identity`, or none, and both sides equal.

    To be called under the Workspace's lock. What hinders it for good is a `SyncError`; a conflict is only said.
    """
    if order is None:
        _end(host, workspace)
        return Synced()
    before = host.supervision.find(workspace.hash)
    known = kept(workspace.hash)
    supervisor = host.supervision.start(workspace.hash, identity, relayed=relayed(host, workspace))
    fresh = supervisor.sync(order) or before is None or before.pid != supervisor.pid
    keep(workspace.hash, order)
    said = _wait(host, supervisor, order)
    if said:
        host.reporter.warn(said)
    again = fresh and known is not None and known[0] == order
    return Synced(done=(("files sync again",) if again else ("files sync",)) if fresh else (), said=said)


def _end(host: Host, workspace: Workspace) -> None:
    """Sync no more. What the copy holds alone stays on record, since its volume stays as well."""
    known = kept(workspace.hash)
    if known is None:
        return
    supervisor = host.supervision.find(workspace.hash)
    if supervisor is not None:
        supervisor.sync(None)
    if known[1] == []:
        drop(workspace.hash)


def _wait(host: Host, supervisor: Supervisor, order: SyncOrder) -> str:
    """Wait until both sides are equal; return what has to be said."""
    status = flush(supervisor, _QUIETLY)
    if status["settled"] or status["state"] in (HALTED, PAUSED):
        return notice(status)
    with host.reporter.step(f"sync {order.host} ({order.mode})") as progress:
        lost_at = time.monotonic()
        while not status["settled"] and status["state"] not in (HALTED, PAUSED):
            status = flush(supervisor, _SLICE)
            _tell(progress, status)
            if status["state"] != DISCONNECTED:
                lost_at = time.monotonic()
            elif time.monotonic() - lost_at > _GUEST_PATIENCE:
                raise SyncError(f"the files cannot be synced: {status['reason']}", hint="devbox logs --supervisor")
    return notice(status)


def _tell(progress: Progress, status: dict[str, Any]) -> None:
    files, size = status.get("files", 0), status.get("bytes", 0)
    progress.update(f"{status['state']}: {files} files, {size // 1_000_000} MB, {status.get('pending', 0)} to do")


def flush(supervisor: Supervisor, timeout: float = PATIENCE) -> dict[str, Any]:
    """Have both sides equal, at most within `timeout`; return the status, whose `settled` says whether they are."""
    answer = supervisor.ask_sync("flush", timeout=timeout)
    if not answer["active"]:
        raise SupervisorError("the supervisor syncs nothing", hint=_UP_AGAIN)
    found: dict[str, Any] = answer["status"]
    return found


def session(host: Host, workspace: Workspace, instance: Instance, command: str) -> Supervisor:
    """Return the Supervisor that syncs the running `instance`; one that was lost is started again."""
    supervisor = host.supervision.find(workspace.hash)
    ours = supervisor is not None and supervisor.identity == instance.spec_digest
    if supervisor is not None and ours and supervisor.ask_sync("status")["active"]:
        return supervisor
    with locked(host, workspace, command):
        known = kept(workspace.hash)
        if known is None:
            raise SyncError("nothing says what of this project is synced", hint=_UP_AGAIN)
        supervisor = _begun(host, workspace, known[0], instance)
        keep(workspace.hash, known[0])
    return supervisor


def _begun(host: Host, workspace: Workspace, order: SyncOrder, instance: Instance) -> Supervisor:
    """Have `order` synced with the running `instance` by a Supervisor, and wait for nothing."""
    supervisor = host.supervision.start(workspace.hash, instance.spec_digest, relayed=relayed(host, workspace))
    supervisor.sync(order)
    return supervisor


@contextmanager
def synced(
    host: Host, workspace: Workspace, instance: Instance, *, command: str, known: Synced | None = None
) -> Iterator[None]:
    """Within, a command runs inside: before it both sides are equal, and after it again.

    `known`: both sides are equal already, and that has been said. Nothing of it concerns a mounted project.
    """
    if not is_synced(instance):
        yield
        return
    if known is None:
        known = Synced(said=_flushed(host, workspace, instance, command))
        if known.said:
            host.reporter.warn(known.said)
    yield
    said = _flushed_after(host, workspace, instance, command)
    if said and said != known.said:
        host.reporter.warn(said)


def _flushed(host: Host, workspace: Workspace, instance: Instance, command: str) -> str:
    return notice(flush(session(host, workspace, instance, command)))


def _flushed_after(host: Host, workspace: Workspace, instance: Instance, command: str) -> str:
    """Flush after a command. It has run, so that how it ended is what counts, whatever becomes of this."""
    try:
        supervisor = host.supervision.find(workspace.hash)
        ours = supervisor is not None and supervisor.identity == instance.spec_digest
        if not ours and not _still_runs(host, workspace, instance):
            return ""  # halted, destroyed or made anew meanwhile, which brought home what there was
        return _flushed(host, workspace, instance, command)
    except DevboxError as error:
        return error.message


def _still_runs(host: Host, workspace: Workspace, instance: Instance) -> bool:
    now = current(host, workspace)
    return now is not None and now.id == instance.id and now.state is InstanceState.RUNNING


def leave(host: Host, workspace: Workspace, instances: Sequence[Instance]) -> None:
    """Bring home what is inside `instances`, which end, before the session does; remember what stays there alone.

    To be called under the Workspace's lock. A session that was lost is begun again for it. One that does not answer
    keeps nobody from ending it: then nobody knows what stays, which is remembered.
    """
    known = kept(workspace.hash)
    if known is None:
        return
    running = [one for one in instances if is_synced(one) and one.state is InstanceState.RUNNING]
    try:
        said = _left_behind(host, workspace, known[0], running)
    except DevboxError as error:
        keep(workspace.hash, known[0])
        said = error.message
    if said:
        host.reporter.warn(said)


def _left_behind(host: Host, workspace: Workspace, order: SyncOrder, running: Sequence[Instance]) -> str:
    supervisor = host.supervision.find(workspace.hash)
    if supervisor is None or not supervisor.ask_sync("status")["active"]:
        if not running:
            return ""
        supervisor = _begun(host, workspace, order, running[0])
    status = flush(supervisor)
    end = time.monotonic() + _LAST_PATIENCE
    while running and status["state"] == DISCONNECTED and time.monotonic() < end:
        status = flush(supervisor, _SLICE)
    left = guest_only(supervisor) if status["settled"] else None
    keep(workspace.hash, order, left=left)
    return notice(status)


def guest_only(supervisor: Supervisor) -> list[str]:
    """Return the paths of what the guest has and this host has not, or has otherwise."""
    entries = supervisor.ask_sync("diff")["entries"]
    return [str(one["path"]) for one in entries if one["guest"]]
