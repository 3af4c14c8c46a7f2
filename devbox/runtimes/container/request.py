"""What is asked of the engine for an Instance and for the way to its agent. Pure."""

from typing import Final

from devbox.engine.base import (
    Allowance,
    ContainerRequest,
    ExecRequest,
    Mount,
    MountKind,
)
from devbox.paths import AGENT_SOCKET
from devbox.runtimes.base import AgentSpec, InstanceSpec
from devbox.values import LABEL_AGENT, LABEL_IMAGE, LABEL_SPEC

LABEL_MEMORY: Final = "devbox.memory"  # the memory limit in bytes, to name it when it has been hit
CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SETPCAP")
AGENT: Final = "/run/devbox/agent"  # the agent's program inside
SOCKETS: Final = "/run/devbox/socket"  # the directory that its socket is made in
SOCKET: Final = f"{SOCKETS}/{AGENT_SOCKET}"


def container_request(spec: InstanceSpec, *, layered: str | None = None) -> ContainerRequest:
    """Return the container that `spec` stands for. No port of it is published: they are relayed by the agent.

    `layered`: id of the image with the agent on top, for an engine that cannot mount it.
    """
    resources = spec.resources
    return ContainerRequest(
        name=spec.name,
        image=layered or spec.image,
        entrypoint=(AGENT,),
        command=agent_command(spec),
        labels=_labels(spec, layered=layered),
        env=spec.env,
        user="0:0",
        workdir=spec.workdir,
        hostname=spec.hostname,
        mounts=(*_agent_mounts(spec.agent), *_mounts(spec, layered=layered)),
        capabilities=CAPABILITIES,
        init=False,  # the agent is process 1
        cpus=resources.cpus,
        memory=resources.memory,
        pids=resources.pids,
        devices=resources.devices,
        gpus=resources.gpus,
        allowance=Allowance(
            bind_sources=spec.granted.host_paths | _agent_sources(spec.agent),
            devices=spec.granted.devices,
            gpus=spec.granted.gpus,
        ),
    )


def agent_command(spec: InstanceSpec) -> tuple[str, ...]:
    """Return what the agent of `spec` is told at its start."""
    told = ("serve", "--socket", SOCKET, "--identity", spec.digest)
    return told if spec.agent.directory else (*told, "--inside")


def _agent_sources(agent: AgentSpec) -> frozenset[str]:
    """Return what the runtime mounts by itself, without anybody's consent: a program and an empty directory."""
    return frozenset({agent.program, agent.directory} - {""})


def _agent_mounts(agent: AgentSpec) -> tuple[Mount, ...]:
    if not agent.directory:
        return ()
    return (
        Mount(kind=MountKind.BIND, source=agent.program, target=AGENT, read_only=True),
        Mount(kind=MountKind.BIND, source=agent.directory, target=SOCKETS),
    )


def _labels(spec: InstanceSpec, *, layered: str | None) -> tuple[tuple[str, str], ...]:
    labels = [*spec.labels, (LABEL_SPEC, spec.digest), (LABEL_AGENT, spec.agent.build)]
    if layered:
        labels.append((LABEL_IMAGE, spec.image))
    if spec.resources.memory is not None:
        labels.append((LABEL_MEMORY, str(spec.resources.memory)))
    return tuple(labels)


def _mounts(spec: InstanceSpec, *, layered: str | None) -> tuple[Mount, ...]:
    """What is in the layer is not mounted."""
    shares = [
        Mount(kind=MountKind.BIND, source=share.source, target=share.target, read_only=share.read_only)
        for share in spec.shares
        if not (layered and share.file)
    ]
    volumes = [
        Mount(kind=MountKind.VOLUME, source=volume.name, target=volume.target, labels=volume.labels, bare=volume.bare)
        for volume in spec.volumes
    ]
    return (*shares, *volumes)


def stream_request() -> ExecRequest:
    """Return the process that carries a connection to the agent over an engine that shares no files with this host."""
    return ExecRequest(argv=(AGENT, "stream", "--socket", SOCKET), user="0:0", workdir="/", stdin=True)
