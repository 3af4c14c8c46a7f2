"""The Instances of a Workspace, by the engine's labels."""

import os

from devbox import paths
from devbox.errors import NotRunningError, StateError
from devbox.runtimes.base import Instance, InstanceState, Runtime
from devbox.runtimes.registry import VM, runtime
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_WORKSPACE, ROLE_ENVIRONMENT
from devbox.workspace.context import Host, Workspace


def backend(host: Host, name: str = "container") -> Runtime:
    """Return the runtime `name` of this host."""
    return runtime(name, engine=host.engine, processes=host.processes, reporter=host.reporter)


def machines(host: Host) -> Runtime | None:
    """Return the runtime of machines; None where none was ever made, so that nobody waits for what it needs."""
    return backend(host, VM) if os.path.isdir(paths.machines_root()) else None  # noqa: PTH112 (paths are text)


def is_machine(host: Host, instance: Instance) -> bool:
    """Whether it is a machine, and not a container."""
    others = machines(host)
    return others is not None and others.find(instance.name) is not None


def instances(host: Host, workspace: Workspace) -> list[Instance]:
    """Return every Instance of the Workspace, whatever its name and state."""
    labels = {LABEL_WORKSPACE: workspace.hash, LABEL_OWNER: host.owner, LABEL_ROLE: ROLE_ENVIRONMENT}
    others = machines(host)
    return [*backend(host).instances(labels), *(others.instances(labels) if others else ())]


def current(host: Host, workspace: Workspace) -> Instance | None:
    """Return the Workspace's Instance: the one of the right name, else one that was renamed by hand."""
    found = instances(host, workspace)
    named = [one for one in found if one.name == workspace.container_name]
    return next(iter([*named, *found]), None)


def running(host: Host, workspace: Workspace) -> Instance:
    """Return the running Instance; `NotRunningError`, with what to do, if there is none."""
    found = current(host, workspace)
    if found is not None and found.state is InstanceState.RUNNING:
        return found
    why = "there is none" if found is None else found.problem or f"it is {found.state.value}"
    raise NotRunningError(
        f"the environment of {workspace.shown} does not run: {why}", hint=f"devbox up{workspace.option}"
    )


def require_free_name(host: Host, workspace: Workspace) -> None:
    """Raise `StateError` if a container that is not this Workspace's has the name that its Instance would get."""
    found = backend(host).find(workspace.container_name)
    if found is None:
        return
    labels = found.labels
    if labels.get(LABEL_WORKSPACE) == workspace.hash and labels.get(LABEL_OWNER) == host.owner:
        return
    whose = f"belongs to {labels[LABEL_OWNER]}" if LABEL_OWNER in labels else "was not made by devbox"
    raise StateError(
        f"the container {workspace.container_name} {whose}",
        hint="let its owner run devbox destroy in this directory, or remove it by hand",
    )
