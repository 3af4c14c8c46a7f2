"""What is asked of the engine for an Instance and for a process in it. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from devbox.engine.base import (
    Allowance,
    ContainerInfo,
    ContainerRequest,
    ExecRequest,
    Labels,
    Mount,
    MountKind,
    PortBinding,
)
from devbox.runtimes.base import ExecSpec, InstanceSpec, PortSpec, PublishedPort
from devbox.values import LABEL_SPEC, short_hash

LABEL_PORTS: Final = "devbox.ports"  # JSON {"8000/tcp": "web"}: which declared port a published one is
LABEL_MEMORY: Final = "devbox.memory"  # the memory limit in bytes, to name it when it has been hit
CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
COMMAND: Final = ("sleep", "infinity")  # below the engine's init, which reaps and forwards signals

# A process inside is started by this wrapper, which leaves its pid where `_SIGNAL` finds it. It needs /bin/sh
# alone; a file whose process has gone is swept by the next wrapper of the same user. The directory is each
# user's own: somebody inside who puts a link there only makes the wrapper record nothing.
PIDS: Final = "/tmp/.devbox-"
_WRAPPER: Final = (
    'devbox_d=$1 devbox_t=$2; shift 2; [ -d "$devbox_d" ] || (umask 077; mkdir "$devbox_d") 2>/dev/null; '
    'if [ -O "$devbox_d" ] && [ ! -L "$devbox_d" ]; then '
    'for devbox_f in "$devbox_d"/*.*; do '
    '[ -e "$devbox_f" ] && [ ! -d "/proc/${devbox_f##*.}" ] && rm -f "$devbox_f"; done; '
    '(: >"$devbox_d/$devbox_t.$$"); fi 2>/dev/null; unset devbox_d devbox_t devbox_f; exec "$@"'
)
_SIGNAL: Final = (
    "i=0; while [ $i -lt 20 ]; do "
    f"for f in {PIDS}*/$1.*; do "
    '[ -e "$f" ] && { kill -s "$2" -- "-${f##*.}" || kill -s "$2" "${f##*.}"; exit 0; } 2>/dev/null; done; '
    "i=$((i+1)); sleep 0.1; done"
)


def container_request(spec: InstanceSpec, bindings: Sequence[PortBinding]) -> ContainerRequest:
    """Return the container that `spec` stands for, its ports published as `bindings` say."""
    resources = spec.resources
    return ContainerRequest(
        name=spec.name,
        image=spec.image,
        command=COMMAND,
        labels=_labels(spec),
        env=spec.env,
        user="0:0",
        workdir=spec.workdir,
        hostname=spec.hostname,
        mounts=_mounts(spec),
        ports=tuple(bindings),
        capabilities=CAPABILITIES,
        init=True,
        cpus=resources.cpus,
        memory=resources.memory,
        pids=resources.pids,
        devices=resources.devices,
        gpus=resources.gpus,
        allowance=Allowance(
            bind_sources=spec.granted.host_paths,
            devices=spec.granted.devices,
            gpus=spec.granted.gpus,
            exposed_addresses=spec.granted.addresses,
        ),
    )


def _labels(spec: InstanceSpec) -> tuple[tuple[str, str], ...]:
    labels = [*spec.labels, (LABEL_SPEC, spec.digest), (LABEL_PORTS, port_names(spec.ports))]
    if spec.resources.memory is not None:
        labels.append((LABEL_MEMORY, str(spec.resources.memory)))
    return tuple(labels)


def _mounts(spec: InstanceSpec) -> tuple[Mount, ...]:
    shares = [
        Mount(kind=MountKind.BIND, source=share.source, target=share.target, read_only=share.read_only)
        for share in spec.shares
    ]
    volumes = [
        Mount(kind=MountKind.VOLUME, source=volume.name, target=volume.target, labels=volume.labels)
        for volume in spec.volumes
    ]
    return (*shares, *volumes)


def port_names(ports: Sequence[PortSpec]) -> str:
    """Return the value of `LABEL_PORTS` for `ports`."""
    return json.dumps({f"{port.guest}/{port.protocol}": port.name for port in ports}, sort_keys=True)


def published(info: ContainerInfo) -> tuple[PublishedPort, ...]:
    """Return the ports of a container, with the names that its label gives them."""
    names = _names(info.labels)
    return tuple(
        PublishedPort(
            name=names.get(f"{port.guest}/{port.protocol}", str(port.guest)),
            host=port.address,
            host_port=port.host,
            guest_port=port.guest,
            protocol=port.protocol,
        )
        for port in sorted(info.ports, key=lambda port: (port.guest, port.protocol, port.address))
    )


def _names(labels: Labels) -> Mapping[str, str]:
    try:
        names = json.loads(labels.get(LABEL_PORTS, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in names.items()} if isinstance(names, dict) else {}


def exec_request(spec: ExecSpec, token: str) -> ExecRequest:
    """Return the process that `spec` stands for, behind the wrapper that records its pid under `token`."""
    return ExecRequest(
        argv=("/bin/sh", "-c", _WRAPPER, "devbox", PIDS + short_hash(spec.user), token, *spec.argv),
        user=spec.user,
        workdir=spec.workdir,
        env=spec.env,
        terminal=spec.terminal,
        stdin=spec.stdin,
        rows=spec.rows,
        columns=spec.columns,
    )


def signal_request(token: str, name: str) -> ExecRequest:
    """Return the process that sends signal `name` ("TERM") to the process group recorded under `token`."""
    return ExecRequest(argv=("/bin/sh", "-c", _SIGNAL, "devbox", token, name), user="0:0")
