"""`status`: what is there, whether it fits the profile, and what is wrong. Changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devbox import paths, record
from devbox.agent.protocol import GuestSession
from devbox.errors import AgentError, DevboxError, EngineError, LockInvalidError, Problem
from devbox.profile.asks import all_requests
from devbox.profile.explain import digest
from devbox.profile.gate import require_supported
from devbox.profile.load import Loaded
from devbox.profile.trust import TrustStore
from devbox.record import RecordFromTheFuture
from devbox.runtimes.base import Instance, InstanceState, PublishedPort
from devbox.runtimes.registry import CONTAINER, VM
from devbox.supervisor.words import notice
from devbox.values import slug
from devbox.workspace.base_disk import require_sense
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile
from devbox.workspace.find import current, is_machine
from devbox.workspace.locks import lock_digest
from devbox.workspace.ports import Reported, reported
from devbox.workspace.syncing import is_synced

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStatus:
    """What `status` says. `state` is `absent` or a value of `InstanceState`; None for what is not there.

    `saved`: what ran in it goes on at the next `up`. `stale`: it was made from another profile or devbox.lock than the
    one that is there now; `up` would look again.
    `machine`: which of several it is, empty for the profile's own; `orphan`: the profile does not have it any more.
    """

    name: str
    workspace: str
    runtime: str
    engine: str
    state: str
    saved: bool
    stale: bool
    instance: str | None
    image: str | None
    profile_digest: str | None
    ports: tuple[PublishedPort, ...]
    sessions: tuple[GuestSession, ...]
    problems: tuple[Problem, ...]
    machine: str = ""
    orphan: bool = False


def status(host: Host, workspace: Workspace) -> EnvironmentStatus:
    """Return what is there. A profile that cannot be used is among `problems`, not an error.

    Raises `EngineUnavailableError` without an engine, since then nobody knows.
    """
    loaded, problems = _profile(host, workspace)
    lock, bad_lock = _lock(host, workspace)
    instance = current(host, workspace)
    sessions, silent = _sessions(instance)
    running = instance is not None and instance.state is InstanceState.RUNNING
    ports = reported(host, workspace.hash, running=running) if instance else Reported(ports=())
    files = _sync(host, workspace, instance)
    profile_digest = digest(loaded.profile) if loaded else None
    return EnvironmentStatus(
        name=(loaded.profile.name if loaded else None) or slug(workspace.name),
        workspace=str(workspace.directory),
        runtime=_runtime(host, loaded, instance),
        engine=host.engine.info.url,
        state=state_word(instance),
        saved=instance is not None and bool(instance.saved),
        stale=instance is not None and _is_stale(workspace, profile=profile_digest, lock=lock),
        instance=instance.id if instance else None,
        image=instance.image if instance else None,
        profile_digest=profile_digest,
        ports=ports.ports,
        sessions=sessions,
        problems=(*problems, *bad_lock, *instance_problems(instance), *silent, *ports.problems, *files),
        machine=workspace.machine,
    )


def _sync(host: Host, workspace: Workspace, instance: Instance | None) -> tuple[Problem, ...]:
    """Return what is wrong with the sync of a running Instance."""
    if instance is None or instance.state is not InstanceState.RUNNING or not is_synced(instance):
        return ()
    supervisor = host.supervision.find(workspace.hash)
    try:
        answer: dict[str, Any] = {"active": False} if supervisor is None else supervisor.ask_sync("status")
    except DevboxError as error:
        return (Problem(message=error.message, key="sync", hint=error.hint),)
    if not answer["active"]:
        why = "nobody keeps both sides equal: the supervisor has ended"
        return (Problem(message=why, key="sync", hint="devbox up"),)
    said = notice(answer["status"])
    return (Problem(message=said, key="sync"),) if said else ()


def _runtime(host: Host, loaded: Loaded | None, instance: Instance | None) -> str:
    if loaded is not None:
        return loaded.profile.runtime
    return VM if instance is not None and is_machine(host, instance) else CONTAINER


def state_word(instance: Instance | None) -> str:
    """Return the contract's word for the state of `instance`; one that ended although it should run is broken."""
    if instance is None:
        return ABSENT
    if instance.state is InstanceState.STOPPED and instance.problem:
        return InstanceState.BROKEN.value
    return instance.state.value


def instance_problems(instance: Instance | None) -> tuple[Problem, ...]:
    """Return what is wrong with the Instance itself."""
    if instance is None or not instance.problem:
        return ()
    return (Problem(message=instance.problem, key=instance.name, hint="devbox logs, then devbox up"),)


def _sessions(instance: Instance | None) -> tuple[tuple[GuestSession, ...], tuple[Problem, ...]]:
    """Return what was started inside; where nobody can say, the problem."""
    if instance is None or instance.state is not InstanceState.RUNNING:
        return (), ()
    try:
        return instance.sessions(), ()
    except (AgentError, EngineError) as error:
        return (), (Problem(message=error.message, key=instance.name, hint=error.hint),)


def _profile(host: Host, workspace: Workspace) -> tuple[Loaded | None, tuple[Problem, ...]]:
    try:
        loaded = load_profile(host, workspace)
    except DevboxError as error:
        return None, error.problems or (Problem(message=error.message, hint=error.hint),)
    return loaded, (
        *_problems(lambda: require_supported(loaded)),
        *_problems(lambda: require_sense(loaded)),
        *_problems(lambda: _trust(host, workspace, loaded)),
    )


def _lock(host: Host, workspace: Workspace) -> tuple[str | None, tuple[Problem, ...]]:
    try:
        return lock_digest(host, workspace), ()
    except LockInvalidError as error:
        return None, error.problems


def _problems(check: Callable[[], None]) -> tuple[Problem, ...]:
    try:
        check()
    except DevboxError as error:
        return error.problems or (Problem(message=error.message, hint=error.hint),)
    return ()


def _trust(host: Host, workspace: Workspace, loaded: Loaded) -> None:
    items = all_requests(loaded, workspace.directory, environ=host.environ)
    TrustStore(workspace.directory, reporter=host.reporter).require(items)


def _is_stale(workspace: Workspace, *, profile: str | None, lock: str | None) -> bool:
    try:
        known = record.read(paths.record_file(workspace.hash))
    except RecordFromTheFuture:
        return False
    if known is None or not known["profile"]:
        return False
    return known["profile"] != profile or known["lock"] != lock
