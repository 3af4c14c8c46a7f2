"""The policy's rules for a container, a process in it, and an image's configuration. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.engine.policy_mounts import mount
from devbox.engine.policy_rules import (
    Context,
    Rules,
    check_object,
    flag,
    labels,
    list_of,
    nothing,
    number,
    object_of,
    one_of,
    text,
    texts,
)
from devbox.errors import Problem
from devbox.values import check_guest_path

STEP_CAPABILITIES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "SETFCAP",
    "SYS_CHROOT",
)
RUN_CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SETPCAP")
_NO_NEW_PRIVILEGES: Final = frozenset(
    {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"},
)
_USER = re.compile(r"[A-Za-z0-9_.-]*(:[A-Za-z0-9_.-]+)?")
_NETWORK = re.compile(r"devbox-[a-z0-9-]+")


def _user(key: str, value: object, context: Context) -> Iterator[Problem]:
    yield from text(key, value, context)
    if isinstance(value, str) and not _USER.fullmatch(value):
        yield Problem(key=key, message=f"{value!r} is not a user")


def _workdir(key: str, value: object, context: Context) -> Iterator[Problem]:
    yield from text(key, value, context)
    if not isinstance(value, str) or not value:
        return
    try:
        check_guest_path(value, may_be_system=True)
    except ValueError as error:
        yield Problem(key=key, message=f"{value!r} {error}")


def _added_capabilities(key: str, value: object, context: Context) -> Iterator[Problem]:
    allowed = {*STEP_CAPABILITIES, *(_capability(name) for name in context.allowance.capabilities)} - {"ALL"}
    if not isinstance(value, list | None):
        yield Problem(key=key, message="must be a list")
        return
    for name in value or []:
        if not isinstance(name, str) or _capability(name) not in allowed:
            yield Problem(key=key, message=f"the capability {name!r} is not allowed")


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def _dropped_capabilities(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    if not isinstance(value, list) or "ALL" not in value:
        yield Problem(key=key, message="must drop ALL capabilities")


def _security(key: str, value: object, context: Context) -> Iterator[Problem]:  # noqa: ARG001
    options = value if isinstance(value, list) else []
    if not any(option in _NO_NEW_PRIVILEGES for option in options):
        yield Problem(key=key, message="must have no-new-privileges")
    for option in options:
        if option not in _NO_NEW_PRIVILEGES:
            yield Problem(key=key, message=f"{option!r} is not allowed")


def _network(key: str, value: object, context: Context) -> Iterator[Problem]:
    if value in (None, "", "default", "bridge", "none"):
        return
    if value == "host" and context.allowance.host_network:
        return
    if not isinstance(value, str) or not _NETWORK.fullmatch(value):
        yield Problem(key=key, message=f"the network {value!r} is not allowed")


def _device(key: str, value: object, context: Context) -> Iterator[Problem]:
    rules: Rules = {"PathOnHost": _device_path, "PathInContainer": text, "CgroupPermissions": text}
    yield from check_object(key, value, rules, context, required=("PathOnHost",))


def _device_path(key: str, value: object, context: Context) -> Iterator[Problem]:
    if not isinstance(value, str) or value not in context.allowance.devices:
        yield Problem(key=key, message=f"the device {value!r} needs consent")


def _device_request(key: str, value: object, context: Context) -> Iterator[Problem]:
    if not context.allowance.gpus:
        yield Problem(key=key, message="a GPU needs consent")
    rules: Rules = {
        "Driver": one_of("", "nvidia"),
        "Count": one_of(-1),
        "DeviceIDs": nothing,
        "Capabilities": one_of([["gpu"]]),
        "Options": nothing,
    }
    yield from check_object(key, value, rules, context)


def _log_config(key: str, value: object, context: Context) -> Iterator[Problem]:
    options = dict.fromkeys(("max-size", "max-file", "compress"), text)
    rules: Rules = {"Type": one_of("", "json-file", "local"), "Config": object_of(options)}
    yield from object_of(rules)(key, value, context)


_NEVER: Final = (
    # ways to the host's files, processes and kernel
    *("Binds", "VolumesFrom", "ContainerIDFile", "Privileged", "PidMode", "UTSMode", "Cgroup", "CgroupParent"),
    *("Runtime", "Isolation", "Sysctls", "MaskedPaths", "ReadonlyPaths", "DeviceCgroupRules", "VolumeDriver"),
    *("StorageOpt", "Tmpfs", "GroupAdd", "Annotations"),
    # ways to other containers and the network
    *("Links", "ExtraHosts", "Dns", "DnsOptions", "DnsSearch"),
    # ways in past the Supervisor, which opens ports as they were agreed to
    *("PortBindings", "PublishAllPorts"),
    # ways to starve the host
    *("OomKillDisable", "OomScoreAdj", "Ulimits", "KernelMemory", "KernelMemoryTCP", "MemorySwappiness"),
    *("CpuShares", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime", "CpusetCpus", "CpusetMems"),
    *("BlkioWeight", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps"),
    *("BlkioDeviceWriteIOps", "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth", "ConsoleSize"),
)

_HOST: Final[Rules] = {
    **dict.fromkeys(_NEVER, nothing),
    "Mounts": list_of(mount),
    "CapAdd": _added_capabilities,
    "CapDrop": _dropped_capabilities,
    "SecurityOpt": _security,
    "NetworkMode": _network,
    "Devices": list_of(_device),
    "DeviceRequests": list_of(_device_request),
    "IpcMode": one_of("", "private", "none", None),
    "CgroupnsMode": one_of("", "private", None),
    "UsernsMode": one_of("", "keep-id", None),  # keep-id: rootless Podman's way to the caller's own uid
    "LogConfig": _log_config,
    "RestartPolicy": object_of({"Name": one_of("", "no"), "MaximumRetryCount": nothing}),
    "Init": flag,
    "AutoRemove": flag,
    "ReadonlyRootfs": flag,
    "Memory": number,
    "MemorySwap": number,
    "MemoryReservation": number,
    "NanoCpus": number,
    "PidsLimit": number,
    "ShmSize": number,
}


def _present(*names: str) -> Rules:
    return dict.fromkeys(names, text)


_COMMON: Final[Rules] = {
    "User": _user,
    "WorkingDir": _workdir,
    "Env": texts,
    "Cmd": texts,
    "Entrypoint": texts,
    "Labels": labels,
    "Volumes": nothing,
    "ExposedPorts": nothing,
    "OnBuild": nothing,
    "Shell": nothing,
    "Healthcheck": object_of({"Test": one_of(["NONE"])}),
    "StopSignal": text,
}


_CONTAINER: Final[Rules] = {
    **_COMMON,
    **_present("Hostname", "Image"),
    **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"), flag),
    **dict.fromkeys(("Domainname", "NetworkDisabled", "MacAddress", "ArgsEscaped", "NetworkingConfig"), nothing),
    "StopTimeout": number,
    "HostConfig": object_of(_HOST, required=("CapDrop", "SecurityOpt")),
}
_EXEC: Final[Rules] = {
    **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "Tty"), flag),
    "Cmd": texts,
    "Env": texts,
    "User": _user,
    "WorkingDir": _workdir,
    "ConsoleSize": list_of(number),
    "Privileged": nothing,
    "DetachKeys": text,
}

CONTAINER: Final = object_of(_CONTAINER, required=("Labels", "HostConfig"))
IMAGE_CONFIG: Final = object_of(_COMMON, required=("Labels",))
EXEC: Final = object_of(_EXEC, required=())
