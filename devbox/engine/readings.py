"""The engine's answers as values of `engine.base`. Pure; a key that an engine leaves out gets the empty value."""

from collections.abc import Iterable, Mapping
from typing import Any

from devbox.engine.base import ContainerInfo, ImageInfo, Mount, MountKind, VolumeInfo

Json = Mapping[str, Any]
_PODMAN_ENV = frozenset({"container", "TERM", "HOSTNAME"})  # put into each container by Podman, and so into each commit
_KINDS = {kind.value: kind for kind in MountKind}


def container_info(answer: Json) -> ContainerInfo:
    """Read the answer of `GET /containers/{id}/json`."""
    state, config = answer.get("State") or {}, answer.get("Config") or {}
    return ContainerInfo(
        id=str(answer["Id"]),
        name=str(answer.get("Name") or "").removeprefix("/"),
        image=image_id(str(answer.get("Image") or "")),
        status=_status(str(state.get("Status") or "")),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        labels=dict(config.get("Labels") or {}),
        mounts=tuple(_mount(item) for item in answer.get("Mounts") or () if item.get("Type") in _KINDS),
        created=str(answer.get("Created") or ""),
        pid=int(state.get("Pid") or 0),
    )


def image_info(answer: Json, *, podman: bool = False) -> ImageInfo:
    """Read the answer of `GET /images/{name}/json`."""
    config = answer.get("Config") or {}
    return ImageInfo(
        id=image_id(str(answer["Id"])),
        tags=tuple(_tag(tag) for tag in answer.get("RepoTags") or () if not tag.startswith("<none>")),
        digests=tuple(digest for digest in answer.get("RepoDigests") or () if not digest.startswith("<none>")),
        labels=dict(config.get("Labels") or {}),
        env=tuple(pair for pair in split_env(config.get("Env") or ()) if not podman or pair[0] not in _PODMAN_ENV),
        workdir=str(config.get("WorkingDir") or ""),
        user=str(config.get("User") or ""),
        architecture=str(answer.get("Architecture") or ""),
        size=int(answer.get("Size") or 0),
        created=str(answer.get("Created") or ""),
        layers=tuple((answer.get("RootFS") or {}).get("Layers") or ()),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        parent=image_id(str(answer.get("Parent") or "")),
    )


def volume_info(answer: Json) -> VolumeInfo:
    """Read an item of `GET /volumes`."""
    return VolumeInfo(name=str(answer["Name"]), labels=dict(answer.get("Labels") or {}))


def split_env(items: Iterable[object]) -> tuple[tuple[str, str], ...]:
    """Return `NAME=value` items as pairs."""
    return tuple((name, value) for name, _, value in (str(item).partition("=") for item in items))


def image_id(text: str) -> str:
    """Return an image id with its algorithm; Podman leaves that out."""
    return f"sha256:{text}" if len(text) == 64 and ":" not in text else text


def _tag(tag: str) -> str:
    """Return the name as it was given: Podman puts a registry before a name without one."""
    return tag.removeprefix("localhost/").removeprefix("docker.io/").removeprefix("library/")


def _status(word: str) -> str:
    return {"configured": "created", "initialized": "created", "stopped": "exited"}.get(word, word)


def _mount(item: Json) -> Mount:
    kind = _KINDS[item["Type"]]
    source = item.get("Name") if kind is MountKind.VOLUME else item.get("Source")
    return Mount(
        kind=kind,
        source=str(source or "") if kind is not MountKind.TMPFS else "",
        target=str(item.get("Destination") or ""),
        read_only=not item.get("RW", True),
    )
