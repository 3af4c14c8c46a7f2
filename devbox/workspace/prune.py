"""`prune`: take away what carries our labels and belongs to no Environment of this owner.

On this host: the builds of the agent that no container mounts, the disks that no machine stands on, and
those that were fetched in part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devbox.engine.base import ContainerInfo, Engine, ImageInfo, MountKind, VolumeInfo
from devbox.errors import EngineError
from devbox.runtimes.vm import shelf
from devbox.runtimes.vm.foreign import foreign_disks
from devbox.runtimes.vm.kept import machine_images, needed
from devbox.values import (
    LABEL_GROUP,
    LABEL_MACHINE,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_ROLE,
    LABEL_WORKSPACE,
    ROLE_CACHE,
    ROLE_ENVIRONMENT,
    workspace_hash,
)
from devbox.workspace.agent_builds import in_use_elsewhere, remove_builds, unneeded_builds
from devbox.workspace.context import Host
from devbox.workspace.find import machines
from devbox.workspace.state import is_held


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What is (to be) removed, by name or short id; `bytes` is what images' own layers and disks take, at most."""

    images: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leftovers:
    """What may go, as the engine has it."""

    containers: tuple[ContainerInfo, ...]
    images: tuple[ImageInfo, ...]
    volumes: tuple[str, ...]
    networks: tuple[str, ...]
    agents: tuple[str, ...]  # builds of the agent, which lie on this host
    disks: tuple[str, ...]  # that machines share, by their keys; these too


def prune(host: Host, *, dry_run: bool = False) -> Pruned:
    """Remove it, or with `dry_run` only say what would be removed.

    An Environment whose project directory is gone and that does not run is none any more. What belongs to a
    Workspace in which a devbox command is going on stays, and with it every image: nobody knows yet which of them
    that command will need.
    """
    engine = host.engine
    found = _leftovers(host, engine)
    shared = machine_images(host.processes, host.reporter)
    fetched = foreign_disks(host.processes, host.reporter)
    parts = fetched.parts()
    sizes = {name: shared.size(name) for name in found.disks} | parts
    gone = found if dry_run else _remove(host, engine, found)
    dropped = tuple(parts) if dry_run else fetched.drop_parts(parts)
    disks = (*gone.disks, *dropped)
    return Pruned(
        images=tuple(_image_name(image) for image in gone.images),
        containers=tuple(one.name for one in gone.containers),
        volumes=gone.volumes,
        networks=gone.networks,
        agents=gone.agents,
        disks=disks,
        bytes=own_bytes(gone.images, engine.images({})) + sum(sizes[name] for name in disks),
    )


def _leftovers(host: Host, engine: Engine) -> _Leftovers:
    labels = {LABEL_OWNER: host.owner}
    containers, images, volumes = engine.containers(labels), engine.images(labels), engine.volumes(labels)
    labelled: list[ContainerInfo | ImageInfo | VolumeInfo] = [*containers, *images, *volumes]
    hashes = {_hash(one) for one in labelled} - {""}
    building = {_hash(one) for one in containers if one.running and not _is_of_environment(one)}
    groups = {_hash(one): one.labels[LABEL_GROUP] for one in labelled if LABEL_GROUP in one.labels}
    held = {path_hash: is_held(host, groups.get(path_hash, path_hash)) for path_hash in hashes}
    busy = {path_hash for path_hash in hashes if _is_busy(held[path_hash], path_hash in building)}
    if busy:
        host.reporter.note("a devbox command is going on elsewhere, so all images stay")
    others = machines(host)
    standing = others.instances(labels) if others else []
    live = {_hash(one) for one in containers if _is_environment(one)} | busy
    live |= {one.labels.get(LABEL_WORKSPACE, "") for one in standing}
    live |= {groups[path_hash] for path_hash in live if path_hash in groups}
    dead = tuple(one for one in containers if _hash(one) not in live or _is_idle_step(one, busy))
    kept = [*(one.image for one in containers if one not in dead), *(one.image for one in standing)]
    kept += shelf.images()  # made anew, it would be another one, and the snapshot would fit no more
    used = {name for path_hash in live for name in engine.networks(labels | {LABEL_WORKSPACE: path_hash})}
    return _Leftovers(
        containers=dead,
        images=() if busy else tuple(unneeded(images, kept, engine)),
        volumes=tuple(sorted(one.name for one in volumes if _is_idle_volume(one, live))),
        networks=tuple(sorted(set(engine.networks(labels)) - used)),
        agents=() if busy else unneeded_builds(host, dead={one.id for one in dead}),
        disks=() if busy or in_use_elsewhere(host) else machine_images(host.processes, host.reporter).unneeded(needed),
    )


def _hash(one: ContainerInfo | ImageInfo | VolumeInfo) -> str:
    return one.labels.get(LABEL_WORKSPACE, "")


def _is_idle_volume(one: VolumeInfo, live: set[str]) -> bool:
    if one.labels.get(LABEL_ROLE) == ROLE_CACHE:
        return not live
    return _hash(one) not in live


def _is_busy(held: bool | None, building: bool) -> bool:  # noqa: FBT001 (both are facts about one Workspace)
    """Whether to leave a Workspace alone: its lock says so, or nobody here knows its lock and a step of it runs."""
    return building if held is None else held


def _is_of_environment(one: ContainerInfo) -> bool:
    return one.labels.get(LABEL_ROLE) == ROLE_ENVIRONMENT


def _is_environment(one: ContainerInfo) -> bool:
    if not _is_of_environment(one):
        return False
    if one.running:
        return True
    projects = [mount.source for mount in one.mounts if mount.kind is MountKind.BIND]
    projects.append(one.labels.get(LABEL_PROJECT, ""))
    machine = one.labels.get(LABEL_MACHINE, "")
    return any(workspace_hash(source, machine) == _hash(one) and Path(source).is_dir() for source in projects)


def _is_idle_step(one: ContainerInfo, busy: set[str]) -> bool:
    """Whether it is a build's container and no build is going on: that of a devbox that was killed."""
    return not _is_of_environment(one) and _hash(one) not in busy


def unneeded(images: Sequence[ImageInfo], kept: Iterable[str], engine: Engine) -> list[ImageInfo]:
    """Return those of `images` that no image of `kept` (ids) is or stands on, the tallest first."""
    needed = {image.layers for image in map(engine.image, kept) if image is not None}
    tall = sorted(images, key=lambda image: len(image.layers), reverse=True)
    return [image for image in tall if not any(_stands_on(layers, image.layers) for layers in needed)]


def _stands_on(layers: tuple[str, ...], below: tuple[str, ...]) -> bool:
    return layers[: len(below)] == below


def own_bytes(images: Sequence[ImageInfo], everything: Sequence[ImageInfo]) -> int:
    """Return what goes with `images`: of each, what it takes beyond the tallest image that it stands on. Pure."""
    sizes: dict[tuple[str, ...], int] = {image.layers: image.size for image in (*everything, *images)}
    total = 0
    for layers in {image.layers for image in images}:
        below = [other for other in sizes if len(other) < len(layers) and _stands_on(layers, other)]
        total += sizes[layers] - (sizes[max(below, key=len)] if below else 0)
    return max(total, 0)


def _remove(host: Host, engine: Engine, found: _Leftovers) -> _Leftovers:
    """Remove what can be; something that is used after all, by whatever devbox did not make, stays."""
    with host.reporter.step("prune"):
        for container in found.containers:
            engine.remove(container.id)
        volumes = tuple(name for name in found.volumes if engine.remove_volume(name))
        for name in found.networks:
            engine.remove_network(name)
        images = tuple(remove_images(engine, found.images))
        agents = remove_builds(found.agents)
        disks = machine_images(host.processes, host.reporter).sweep(needed, among=found.disks) if found.disks else ()
    return replace(found, images=images, volumes=volumes, agents=agents, disks=disks)


def remove_images(engine: Engine, images: Sequence[ImageInfo]) -> list[ImageInfo]:
    """Remove those of `images` that can be, in rounds: one that others stand on goes after them.

    Their layers alone do not tell the order: a step that changed variables only has those of the step before it.
    """
    gone: list[ImageInfo] = []
    left = list(images)
    while left:
        removed = [image for image in left if _remove_image(engine, image)]
        if not removed:
            break
        gone += removed
        left = [image for image in left if image not in removed]
    return gone


def _remove_image(engine: Engine, image: ImageInfo) -> bool:
    try:
        for tag in image.tags:
            engine.remove_image(tag)
        engine.remove_image(image.id)
    except EngineError:
        return False
    return True


def _image_name(image: ImageInfo) -> str:
    return image.tags[0] if image.tags else image.id.removeprefix("sha256:")[:12]
