"""From a profile and its Image to the InstanceSpec. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import normpath

from devbox.engine.base import EngineInfo
from devbox.profile.asks import Grants
from devbox.profile.model import Port, Profile
from devbox.runtimes.base import AgentSpec, DataVolume, Granted, InstanceSpec, MachineOptions, ResourceLimits, Share
from devbox.supervisor.protocol import LOOPBACK, Wanted
from devbox.values import (
    LABEL_GROUP,
    LABEL_MACHINE,
    LABEL_NAME,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_ROLE,
    LABEL_SCHEMA,
    LABEL_WORKSPACE,
    ROLE_DATA,
    ROLE_ENVIRONMENT,
    ROLE_WORKSPACE,
    SCHEMA,
    GuestUser,
    parse_size,
    short_hash,
    slug,
)
from devbox.workspace.context import Workspace
from devbox.workspace.ports import OTHERWISE, PRIVILEGED

LABEL_TARGET = "devbox.target"  # of a data volume: where it is mounted
EVERYWHERE = "0.0.0.0"
PIDS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The CA bundle inside, in each form that is needed: (real path on the host, where it is seen); who is told."""

    files: tuple[tuple[str, str], ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a spec is made of, beyond the profile. `mounts`: (real path, target, read-only) of its [[mounts]]."""

    workspace: Workspace
    owner: str
    engine: EngineInfo
    cpus: int = 0  # of this host, which runs it if it is a virtual machine; 0: nobody knows
    image: str
    user: GuestUser
    grants: Grants
    agent: AgentSpec
    mounts: tuple[tuple[str, str, bool], ...] = ()
    kept_inside: tuple[tuple[str, str], ...] = ()  # directories of the project, and the digest of what filled each
    variables: tuple[tuple[str, str], ...] = ()  # the profile's own
    certificates: Certificates | None = None
    machine: MachineOptions | None = None  # it is a virtual machine
    synced: bool = False  # the project is a copy inside, kept in sync, and not mounted


def workspace_labels(workspace: Workspace, owner: str, *, role: str) -> dict[str, str]:
    """Return the labels of something that belongs to `workspace` alone."""
    labels = {LABEL_WORKSPACE: workspace.hash, LABEL_OWNER: owner, LABEL_SCHEMA: SCHEMA, LABEL_ROLE: role}
    if workspace.machine:
        labels |= {LABEL_MACHINE: workspace.machine, LABEL_GROUP: workspace.project_hash}
    return labels


def instance_spec(profile: Profile, facts: Facts) -> InstanceSpec:
    """Return what the Environment of `profile` is made from."""
    workspace = facts.workspace
    name = profile.name or slug(workspace.name)
    labels = workspace_labels(workspace, facts.owner, role=ROLE_ENVIRONMENT) | {LABEL_NAME: name}
    if facts.synced:
        labels |= {LABEL_PROJECT: str(workspace.directory)}
    return InstanceSpec(
        name=workspace.container_name,
        image=facts.image,
        hostname=workspace.machine or slug(name),
        user=facts.user,
        workdir=workspace.guest_directory,
        agent=facts.agent,
        env=_env(facts),
        shares=_shares(facts),
        volumes=_volumes(profile, facts),
        resources=_resources(profile, facts.engine, facts.cpus),
        labels=tuple(sorted(labels.items())),
        granted=_granted(facts),
        machine=facts.machine,
    )


def _env(facts: Facts) -> tuple[tuple[str, str], ...]:
    known = dict(facts.variables) | dict(facts.certificates.env if facts.certificates else {})
    return tuple(sorted(known.items()))


def _shares(facts: Facts) -> tuple[Share, ...]:
    project = Share(source=str(facts.workspace.directory), target=facts.workspace.guest_directory)
    shares = [] if facts.synced else [project]
    shares += [Share(source=source, target=target, read_only=only) for source, target, only in facts.mounts]
    if facts.certificates:
        files = facts.certificates.files
        shares += [Share(source=source, target=target, read_only=True, file=True) for source, target in files]
    return tuple(shares)


def _granted(facts: Facts) -> Granted:
    """The project and the CA bundle need nobody's word; whatever else lies outside was trusted."""
    own = set() if facts.synced else {str(facts.workspace.directory)}
    if facts.certificates:
        own |= {source for source, _ in facts.certificates.files}
    return Granted(
        host_paths=frozenset(own) | facts.grants.host_paths,
        devices=facts.grants.devices,
        gpus=facts.grants.gpus,
    )


def _volumes(profile: Profile, facts: Facts) -> tuple[DataVolume, ...]:
    name = facts.workspace.container_name
    volumes = [_volume(facts, f"{name}-cache", f"{facts.user.home}/.cache")]
    if facts.synced:
        volumes.append(_own(facts, f"{name}-workspace", facts.workspace.guest_directory))
    else:
        filled = {directory for directory, _ in facts.kept_inside}
        for directory in sorted(set(map(normpath, profile.sync.volumes)) - filled):
            own = f"{name}-{slug(directory)}-{short_hash(directory)}"
            volumes.append(_own(facts, own, f"{facts.workspace.guest_directory}/{directory}"))
    for directory, digest in facts.kept_inside:
        # A changed lock file has another digest, and so a fresh volume with what the new image holds.
        volumes.append(
            _volume(facts, f"{name}-{slug(directory)}-{digest[:8]}", f"{facts.workspace.guest_directory}/{directory}")
        )
    return tuple(volumes)


def _volume(facts: Facts, name: str, target: str) -> DataVolume:
    labels = workspace_labels(facts.workspace, facts.owner, role=ROLE_DATA) | {LABEL_TARGET: target}
    return DataVolume(name=name, target=target, labels=tuple(sorted(labels.items())))


def _own(facts: Facts, name: str, target: str) -> DataVolume:
    """Return a volume for work that may be nowhere else. It begins empty: what the Image has there is nobody's."""
    labels = workspace_labels(facts.workspace, facts.owner, role=ROLE_WORKSPACE) | {LABEL_TARGET: target}
    return DataVolume(name=name, target=target, labels=tuple(sorted(labels.items())), bare=True)


def wanted_ports(profile: Profile, grants: Grants) -> tuple[Wanted, ...]:
    """Return the declared ports. Beyond loopback there is only what the user agreed to. Pure."""
    return tuple(_wanted(name, port, grants) for name, port in sorted(profile.ports.items()))


def _wanted(name: str, port: Port, grants: Grants) -> Wanted:
    exposed = port.expose == "lan" and EVERYWHERE in grants.addresses
    free_to_move = port.host is None and port.guest < PRIVILEGED
    return Wanted(
        name=name,
        guest=port.guest,
        host=port.guest if port.host is None else port.host,
        protocol=port.protocol,
        address=EVERYWHERE if exposed else LOOPBACK,
        otherwise=port.guest + OTHERWISE if free_to_move else 0,
    )


def machine_options(
    profile: Profile, *, base: str | None, private: str = "", live: bool = False
) -> MachineOptions | None:
    """Return what the profile says of its machine; None if it is to be a container. Pure.

    `base`: where its disk comes from, if that is not devbox's own. `private`: its address among the project's machines.
    `live`: the project itself is shared with it, and hence its memory with whoever does that.
    """
    if profile.runtime != "vm":
        return None
    disk = profile.resources.disk
    return MachineOptions(
        init=profile.vm.init,
        ready=profile.vm.ready and base is None and not live,
        disk=parse_size(disk) if disk else None,
        base=base,
        private=private,
    )


def _resources(profile: Profile, engine: EngineInfo, here: int) -> ResourceLimits:
    """More than the engine's machine has is cut down to what it has; `excess` says so. Virtual machines are not its."""
    wanted = profile.resources
    cpus = _cpus(profile, engine, here)
    memory = parse_size(wanted.memory) if wanted.memory else None
    most = 0 if profile.runtime == "vm" else engine.memory
    return ResourceLimits(
        cpus=min(float(wanted.cpus), cpus or float(wanted.cpus)) if wanted.cpus else None,
        memory=min(memory, most or memory) if memory else None,
        pids=wanted.pids or PIDS,
        devices=wanted.devices,
        gpus=wanted.gpus is not None,
    )


def _cpus(profile: Profile, engine: EngineInfo, here: int) -> int:
    return here if profile.runtime == "vm" else engine.cpus


def excess(profile: Profile, engine: EngineInfo, here: int) -> list[str]:
    """Return a sentence for each limit that is more than there is where it runs (bad input 27).

    That is the engine's machine, or for a virtual machine this host, with `here` processors (0: nobody knows).
    """
    found = []
    wanted = profile.resources
    cpus = _cpus(profile, engine, here)
    if wanted.cpus and cpus and wanted.cpus > cpus:
        found.append(f"resources.cpus is {wanted.cpus}, this machine has {cpus}; all of them are used")
    if profile.runtime != "vm" and wanted.memory and engine.memory and parse_size(wanted.memory) > engine.memory:
        found.append(f"resources.memory is {wanted.memory}, more than this machine has; no more than all is used")
    return found
