"""The policy's rules for mounts: what of the host may be seen inside. Pure but for `Context.resolve`."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from devbox.engine.policy_rules import (
    Context,
    Rule,
    Rules,
    check_object,
    flag,
    labels,
    nothing,
    number,
    object_of,
    one_of,
)
from devbox.errors import Problem
from devbox.values import check_guest_path

_KERNEL: Final = ("/proc", "/sys", "/dev")
_SOCKET_NAMES: Final = frozenset(
    {"docker.sock", "podman.sock", "containerd.sock", "buildkitd.sock", "crio.sock", "docker.pid"},
)
_ENGINE_PATHS: Final = frozenset(  # sockets and stores of engines; neither they nor a directory above is mounted
    {
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/var/lib/docker",
        "/var/lib/containers",
        "/var/lib/containerd",
    }
)
_RUNTIME_DIRECTORY = re.compile(r"/run/user/[0-9]+(/podman)?")
_VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")


def mount(key: str, value: object, context: Context) -> Iterator[Problem]:
    """Check one item of `HostConfig.Mounts`."""
    kind = value.get("Type") if isinstance(value, dict) else None
    special = _KINDS.get(kind) if isinstance(kind, str) else None
    if special is None or not isinstance(kind, str):
        yield Problem(key=f"{key}.Type", message=f"a mount of type {kind!r} is not allowed")
        return
    yield from check_object(key, value, {**_COMMON, **special}, context, required=("Target", *_REQUIRED[kind]))


def _target(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    if not isinstance(value, str) or value == "/":
        yield Problem(key=key, message=f"{value!r} is not a place for a mount")
        return
    try:
        check_guest_path(value, may_be_system=True)
    except ValueError as error:
        yield Problem(key=key, message=f"{value!r} {error}")


def _bind_source(key: str, value: object, context: Context) -> Iterator[Problem]:
    if not isinstance(value, str) or not value.startswith("/"):
        yield Problem(key=key, message=f"{value!r} is not an absolute path")
        return
    if ".." in value.split("/") or context.resolve(value) != value:
        yield Problem(key=key, message=f"{value!r} goes through a symbolic link or ..; give the real path")
        return
    path = PurePosixPath(value)
    if any(_within(path, kernel) for kernel in _KERNEL) or value == "/":
        yield Problem(key=key, message=f"{value!r} belongs to the host's system and is never mounted")
    elif _reaches_engine(path, context):
        yield Problem(key=key, message=f"{value!r} leads to the engine's own socket or store, which is never mounted")
    elif not any(_within(path, source) for source in context.allowance.bind_sources):
        yield Problem(key=key, message=f"{value!r} lies outside of what may be mounted")


def _within(path: PurePosixPath, directory: str) -> bool:
    return path.is_relative_to(directory)


def _reaches_engine(path: PurePosixPath, context: Context) -> bool:
    if path.name in _SOCKET_NAMES or _RUNTIME_DIRECTORY.fullmatch(str(path)):
        return True
    engine = _ENGINE_PATHS | context.sockets
    return any(PurePosixPath(item).is_relative_to(path) or path.is_relative_to(item) for item in engine)


def _volume_source(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    if not isinstance(value, str) or not _VOLUME_NAME.fullmatch(value):
        yield Problem(key=key, message=f"{value!r} is not the name of a volume")


_PROPAGATION: Final = one_of("", "private", "rprivate", None)
_VOLUME_OPTIONS: Final[Rules] = {
    "Labels": labels,
    "NoCopy": flag,
    "DriverConfig": nothing,  # a volume with driver options is a bind mount in disguise
    "Subpath": nothing,
}
_COMMON: Final[dict[str, Rule]] = {
    "Type": one_of("bind", "volume", "tmpfs"),
    "Target": _target,
    "ReadOnly": flag,
    "Consistency": one_of("", "default", None),
}
_KINDS: Final[dict[str, Rules]] = {
    "bind": {
        "Source": _bind_source,
        "BindOptions": object_of({"Propagation": _PROPAGATION, "NonRecursive": flag, "CreateMountpoint": nothing}),
    },
    "volume": {"Source": _volume_source, "VolumeOptions": object_of(_VOLUME_OPTIONS, required=("Labels",))},
    "tmpfs": {"TmpfsOptions": object_of({"SizeBytes": number, "Mode": number, "Options": nothing})},
}
_REQUIRED: Final = {"bind": ("Source",), "volume": ("Source", "VolumeOptions"), "tmpfs": ()}
