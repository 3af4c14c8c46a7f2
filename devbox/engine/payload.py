"""Requests of `engine.base` as bodies of the Engine API. Pure."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from devbox.engine.base import ContainerRequest, ExecRequest, ImageConfig, Mount, MountKind
from devbox.engine.readings import split_env
from devbox.errors import EngineError

Json = dict[str, Any]
ROOT: Final = "0:0"
_ENGINE_ENV: Final = dict.fromkeys(("container", "HOSTNAME", "TERM", "HOME", "PATH"), "")  # Podman's, in each container


def container_body(request: ContainerRequest, *, user_namespace: str = "") -> Json:
    """Return the body of `POST /containers/create`."""
    body: Json = {
        "Image": request.image,
        "Cmd": list(request.command),
        "Entrypoint": list(request.entrypoint),
        "Env": pairs(request.env),
        "User": request.user,
        "Labels": dict(request.labels),
        "Tty": False,
        "OpenStdin": request.stdin,
        "StdinOnce": request.stdin,
        "StopSignal": "SIGTERM",
        "AttachStdin": request.stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "Healthcheck": {"Test": ["NONE"]},  # an image's own would run as it likes, and survive a commit
        "HostConfig": {
            **_isolation(request),
            **_resources(request),
            "Mounts": [_mount(item) for item in request.mounts],
        },
    }
    if request.workdir is not None:
        body["WorkingDir"] = request.workdir
    if request.hostname is not None:
        body["Hostname"] = request.hostname
    if user_namespace:
        body["HostConfig"]["UsernsMode"] = user_namespace
    return body


def exec_body(request: ExecRequest, *, sized: bool = False) -> Json:
    """Return the body of `POST /containers/{id}/exec`; `sized`: the engine takes the terminal's first size."""
    body: Json = {
        "Cmd": list(request.argv),
        "User": request.user,
        "Env": pairs(request.env),
        "Tty": request.terminal,
        "AttachStdin": request.stdin,
        "AttachStdout": True,
        "AttachStderr": True,
    }
    if request.workdir is not None:
        body["WorkingDir"] = request.workdir
    if sized and request.terminal:
        body["ConsoleSize"] = [request.rows, request.columns]
    return body


def image_body(config: ImageConfig) -> Json:
    """Return the body of `POST /commit`; see `ImageConfig` for what the engine adds to it."""
    return {
        "Env": pairs(config.env),
        "Cmd": list(config.command),
        "Entrypoint": [],  # null would bring the container's own back
        "Labels": dict(config.labels),
        "User": config.user or ROOT,
        "WorkingDir": config.workdir,
    }


def complete_config(config: ImageConfig, container: Mapping[str, Any]) -> ImageConfig:
    """Return `config` so that an engine's merge with the container's own configuration yields just that.

    Engines add what the container has and the commit does not name. Labels of devbox that are not wanted are
    emptied, since they cannot be removed; foreign labels, of the base image, are inherited as by any build.
    A variable that would leak is `EngineError`: the container has to be created with the image's variables.
    """
    wanted = dict(config.env)
    leaks = [name for name, _ in split_env(container.get("Env") or ()) if name not in wanted | _ENGINE_ENV]
    if leaks:
        raise EngineError(f"a commit would keep the variables {', '.join(leaks)} of its container")
    own = dict.fromkeys((name for name in container.get("Labels") or () if name.startswith("devbox.")), "")
    labels = {**own, **dict(config.labels)}
    return replace(config, labels=tuple(labels.items()), user=config.user or ROOT)


def instructions(config: ImageConfig) -> list[str]:
    """Return `config` as the instructions that Podman's commit wants: one variable or label each, values unquoted."""
    return [
        *(f"ENV {name}={value}" for name, value in config.env),
        *(f"LABEL {name}={value}" for name, value in config.labels),
        f"CMD {json.dumps(list(config.command))}",
        "ENTRYPOINT []",
        f"USER {config.user}",
        f"WORKDIR {config.workdir}",
    ]


def pairs(items: tuple[tuple[str, str], ...]) -> list[str]:
    """Return variables as the API has them."""
    return [f"{name}={value}" for name, value in items]


def split_reference(reference: str) -> tuple[str, str]:
    """Return repository and tag of an image reference; the tag is `latest` if it names none."""
    head, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return head + slash + name, tag or "latest"


def _isolation(request: ContainerRequest) -> Json:
    return {
        "CapDrop": ["ALL"],
        "CapAdd": list(request.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "Init": request.init,
        "NetworkMode": request.network or "default",
        "Privileged": False,
        "RestartPolicy": {"Name": "no"},
    }


def _resources(request: ContainerRequest) -> Json:
    limits: Json = {}
    if request.cpus is not None:
        limits["NanoCpus"] = round(request.cpus * 1e9)
    if request.memory is not None:
        limits["Memory"] = limits["MemorySwap"] = request.memory  # equal: no swap beyond it
    if request.pids is not None:
        limits["PidsLimit"] = request.pids
    if request.devices:
        limits["Devices"] = [
            {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in request.devices
        ]
    if request.gpus:
        limits["DeviceRequests"] = [{"Count": -1, "Capabilities": [["gpu"]]}]
    return limits


def _mount(mount: Mount) -> Json:
    body: Json = {"Type": mount.kind.value, "Target": mount.target, "ReadOnly": mount.read_only}
    match mount.kind:
        case MountKind.BIND:
            body["Source"] = mount.source
        case MountKind.VOLUME:
            options = {"Labels": dict(mount.labels)} | ({"NoCopy": True} if mount.bare else {})
            body |= {"Source": mount.source, "VolumeOptions": options}
        case MountKind.TMPFS:
            body["TmpfsOptions"] = {"Mode": 0o700}
    return body
