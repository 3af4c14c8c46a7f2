"""`destroy`: take away everything that an Environment consists of, but its images."""

from dataclasses import dataclass, replace
from pathlib import Path

from devbox import paths
from devbox.engine.base import Engine, VolumeInfo
from devbox.faults import fault
from devbox.runtimes.base import Instance
from devbox.runtimes.vm import left, snapshots
from devbox.runtimes.vm.kept import tidy
from devbox.values import (
    LABEL_GROUP,
    LABEL_OWNER,
    LABEL_ROLE,
    LABEL_WORKSPACE,
    ROLE_CACHE,
    ROLE_ENVIRONMENT,
)
from devbox.vm import disk
from devbox.workspace import mountpoints, several
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import machines
from devbox.workspace.logs import forget_console
from devbox.workspace.ports import end
from devbox.workspace.private_network import removable
from devbox.workspace.spec import LABEL_TARGET
from devbox.workspace.state import locked
from devbox.workspace.sync_order import forget, forget_left
from devbox.workspace.unsynced import require_nothing_unsynced, save_unsynced


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """What is (to be) removed, by name."""

    containers: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()  # of machines, by path: their volumes
    snapshots: tuple[str, ...] = ()  # of machines, by name
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    saved: str | None = None  # the archive of what was inside alone

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remove."""
        machines = self.machines or self.disks or self.snapshots
        return not (self.containers or machines or self.volumes or self.networks)


def survey(host: Host, workspace: Workspace) -> Destroyed:
    """Return what `destroy` would remove now; removes nothing."""
    engine, labels = host.engine, _labels(host, workspace)
    return Destroyed(
        containers=tuple(sorted(one.name for one in engine.containers(labels))),
        machines=tuple(sorted(one.name for one in _machines(host, workspace))),
        disks=tuple(path for path in (paths.machine_data(workspace.hash),) if Path(path).exists()),
        snapshots=tuple(one.name for one in snapshots.kept_of(workspace.hash)),
        volumes=tuple(one.name for one in _volumes(host, workspace)),
        networks=removable(host, workspace),
    )


def destroy(host: Host, workspace: Workspace, *, force: bool = False) -> Destroyed:
    """Remove it all and return what was removed; repeatable, nothing there is no error. Asks nobody.

    Raises `UnsyncedError` if there is work inside that is nowhere else; with `force` it is saved to an archive.
    Order: the Supervisor with its ports, containers, machines with their snapshots, networks, mount points in the repo
    (their volumes' labels say which), shared caches, the Workspace's own volumes, the Record. Whatever a kill leaves
    behind still carries the labels, or lies in the Workspace's state, so the next call finds it.
    """
    saved = None
    if force:
        saved = save_unsynced(host, workspace)
    else:
        require_nothing_unsynced(host, workspace)
    with locked(host, workspace, "devbox destroy") as state:
        forget_left(workspace.hash)
        end(host, workspace, forget=True)
        found = survey(host, workspace)
        engine = host.engine
        if not found.empty:
            with host.reporter.step(f"destroy {workspace.container_name}"):
                _remove(engine, host, workspace, found)
        _remove_left(host, workspace)
        state.forget()
        forget(workspace.hash)
        forget_console(workspace)
        several.forget(workspace)
    return replace(found, saved=None if saved is None else str(saved))


def _remove(engine: Engine, host: Host, workspace: Workspace, found: Destroyed) -> None:
    for name in found.containers:
        engine.remove(name)
    for machine in _machines(host, workspace):
        machine.remove()
    for path in found.disks:
        fault("remove disk")
        Path(path).unlink(missing_ok=True)
        fault("disk removed")
    snapshots.clear(workspace.hash)
    for name in found.networks:
        engine.remove_network(name)
    volumes = {one.name: one for one in _volumes(host, workspace)}
    targets = [one.labels[LABEL_TARGET] for one in volumes.values() if LABEL_TARGET in one.labels]
    if workspace.guest_directory not in targets:  # else they lie in the copy
        mountpoints.clear(workspace, set(targets) - _others_targets(host, workspace))
    for name in found.volumes:
        shared = name in volumes and volumes[name].labels.get(LABEL_ROLE) == ROLE_CACHE
        if not engine.remove_volume(name) and not shared:  # a build elsewhere may use a shared one again by now
            host.reporter.warn(f"the volume {name} is used by a container of another, so it stays")


def _remove_left(host: Host, workspace: Workspace) -> None:
    """Remove what a command that was killed has left of a machine, where there ever was one."""
    if machines(host) is not None:
        left.sweep(workspace.container_name, host.processes)
        disk.sweep(Path(paths.machine_data(workspace.hash)))
        tidy(host.processes, host.reporter)


def _others_targets(host: Host, workspace: Workspace) -> set[str]:
    """Return where the project's other machines have volumes: they may be mounted on the very same directories."""
    engine, owner = host.engine, {LABEL_OWNER: host.owner}
    found = engine.volumes(owner | {LABEL_GROUP: workspace.project_hash})
    if workspace.machine:
        found = [*found, *engine.volumes(owner | {LABEL_WORKSPACE: workspace.project_hash})]
    return {one.labels[LABEL_TARGET] for one in found if LABEL_TARGET in one.labels and not _is_of(one, workspace)}


def _is_of(volume: VolumeInfo, workspace: Workspace) -> bool:
    return volume.labels.get(LABEL_WORKSPACE) == workspace.hash


def _volumes(host: Host, workspace: Workspace) -> list[VolumeInfo]:
    """Return the Workspace's volumes; before them the owner's shared caches, if no other Environment needs them.

    Without anything of its own there is nothing to destroy, so the caches stay for whoever builds.
    """
    engine = host.engine
    own = sorted(engine.volumes(_labels(host, workspace)), key=lambda one: one.name)
    if not own and not engine.containers(_labels(host, workspace)):
        return []
    environments = engine.containers({LABEL_OWNER: host.owner, LABEL_ROLE: ROLE_ENVIRONMENT})
    if any(one.labels.get(LABEL_WORKSPACE) != workspace.hash for one in environments):
        return own
    known = {one.name for one in own}
    caches = engine.volumes({LABEL_OWNER: host.owner, LABEL_ROLE: ROLE_CACHE})
    return [*sorted((one for one in caches if one.name not in known), key=lambda one: one.name), *own]


def _machines(host: Host, workspace: Workspace) -> list[Instance]:
    known = machines(host)
    return known.instances(_labels(host, workspace)) if known else []


def _labels(host: Host, workspace: Workspace) -> dict[str, str]:
    return {LABEL_OWNER: host.owner, LABEL_WORKSPACE: workspace.hash}
