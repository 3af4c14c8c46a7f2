"""`list`: all Environments of this owner, on every engine in reach. Changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devbox.engine.base import Engine
from devbox.errors import EngineError, EngineUnavailableError
from devbox.runtimes.base import Instance, InstanceState, PublishedPort, Runtime
from devbox.runtimes.registry import CONTAINER, runtime
from devbox.values import (
    LABEL_GROUP,
    LABEL_MACHINE,
    LABEL_NAME,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_ROLE,
    LABEL_WORKSPACE,
    ROLE_ENVIRONMENT,
    workspace_hash,
)
from devbox.workspace.context import Host
from devbox.workspace.find import machines
from devbox.workspace.ports import reported
from devbox.workspace.status import state_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One Environment. `workspace` is None if nothing says where it is; `gone`: the directory is no more."""

    name: str
    hash: str
    machine: str  # of several that the project has; empty: that of the profile itself
    group: str  # the hash that all machines of the project have in common
    workspace: str | None
    gone: bool
    runtime: str
    engine: str
    state: str
    saved: bool  # what ran in it goes on at the next `up`
    instance: str
    container: str
    image: str
    ports: tuple[PublishedPort, ...]


def environments(host: Host, engines: Sequence[Engine] | None = None) -> list[Listed]:
    """Return those on `engines` (default: all in reach) by workspace; one that fails meanwhile is only a warning."""
    found: list[Listed] = []
    for engine in host.engines() if engines is None else engines:
        try:
            found += _on(host, engine)
        except (EngineError, EngineUnavailableError) as error:
            host.reporter.warn(f"{engine.info.url}: {error.message}")
    others = machines(host)
    if others is not None:
        found += _of(host, others, "qemu")
    return sorted(found, key=lambda one: (one.workspace or "~", one.machine, one.engine))


def _on(host: Host, engine: Engine) -> Iterator[Listed]:
    backend = runtime(CONTAINER, engine=engine, processes=host.processes, reporter=host.reporter)
    yield from _of(host, backend, engine.info.url)


def _of(host: Host, backend: Runtime, where: str) -> Iterator[Listed]:
    for instance in backend.instances({LABEL_OWNER: host.owner, LABEL_ROLE: ROLE_ENVIRONMENT}):
        workspace = _workspace(instance)
        path_hash = instance.labels.get(LABEL_WORKSPACE, "")
        running = instance.state is InstanceState.RUNNING
        yield Listed(
            name=_name(instance),
            hash=path_hash,
            machine=instance.labels.get(LABEL_MACHINE, ""),
            group=instance.labels.get(LABEL_GROUP) or path_hash,
            workspace=workspace,
            gone=workspace is not None and not Path(workspace).is_dir(),
            runtime=backend.name,
            engine=where,
            state=state_word(instance),
            saved=bool(instance.saved),
            instance=instance.id,
            container=instance.name,
            image=instance.image,
            ports=reported(host, path_hash, running=running).ports,
        )


def _name(instance: Instance) -> str:
    name, machine = instance.labels.get(LABEL_NAME) or instance.name, instance.labels.get(LABEL_MACHINE)
    return f"{name}/{machine}" if machine else name


def _workspace(instance: Instance) -> str | None:
    """Return the project's path: the label that says it, or the mount with the hash that labels carry."""
    wanted = instance.labels.get(LABEL_WORKSPACE)
    known = (instance.labels.get(LABEL_PROJECT, ""), *(share.source for share in instance.shares))
    machine = instance.labels.get(LABEL_MACHINE, "")
    return next((source for source in known if workspace_hash(source, machine) == wanted), None)
