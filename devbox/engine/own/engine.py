"""An Engine without an engine: it holds images and runs the steps of a build, for machines; it runs no environment.

| below its directory | what it is |
|---|---|
| `images/<64 hex>/about.json` | what `ImageInfo` says; written last |
| `images/<64 hex>/root/` | its file system; its files are of users that nobody else is (`rooms`) |
| `containers/<16 hex>/about.json`, `root/` | the same of a step that runs, or was killed |
| `volumes/<name>/`, `volumes/<name>.json` | the caches of builds, and their labels |
"""

import hashlib
import io
import json
import os
import secrets
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from devbox import record
from devbox.engine.base import (
    ContainerInfo,
    ContainerRequest,
    EngineInfo,
    ExecRequest,
    ExecSession,
    ImageConfig,
    ImageInfo,
    Labels,
    MountKind,
    Stream,
    VolumeInfo,
)
from devbox.engine.own import rooms
from devbox.engine.own.reading import Reading
from devbox.engine.own.running import Running
from devbox.errors import EngineError, EngineUnavailableError, RegistryUnreachableError
from devbox.values import LABEL_ROLE, ROLE_STEP

NAME: Final = "none"
_ABOUT: Final = "about.json"
_PIECE: Final = 1 << 20
_TAR: Final = 'ls -A "$1" | LC_ALL=C sort | exec tar -c -f - -C "$1" --format=posix --sort=name --numeric-owner \
--xattrs --xattrs-include=security.capability --pax-option=delete=atime,delete=ctime --verbatim-files-from -T -'
_UNTAR: Final = ("tar", "-x", "-f", "-", "--numeric-owner", "--xattrs", "--xattrs-include=security.capability", "-C")


class OwnEngine:
    """The images below `store`. `why`: the error of whoever wants an environment from it."""

    def __init__(self, store: Path, why: EngineUnavailableError) -> None:
        self._store = store
        self._why = why
        self._running: dict[str, Running] = {}

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return EngineInfo(
            name=NAME,
            version="1",
            api_version="",
            url=str(self._store),
            source="no engine is here",
            os="linux",
            architecture=os.uname().machine,
            cpus=os.cpu_count() or 1,
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            rootless=os.geteuid() != 0,
            shares_host=True,
            runs_environments=False,
        )

    def image(self, reference: str) -> ImageInfo | None:
        """Return the image with this id or tag."""
        if reference.startswith("sha256:"):
            return self._image(reference.removeprefix("sha256:"))
        named = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        return next((one for one in self.images({}) if named in one.tags), None)

    def images(self, labels: Labels) -> list[ImageInfo]:
        """Return the images that carry all `labels` (empty value: any value)."""
        found = [self._image(path.name) for path in _entries(self._store / "images")]
        return [one for one in found if one and _carries(one.labels, labels)]

    def pull(self, reference: str) -> Iterator[str]:
        """Raise `RegistryUnreachableError`: there is nobody to pull by."""
        raise RegistryUnreachableError(f"without an engine {reference} cannot be pulled", hint=self._why.hint)

    def build_classic(
        self,
        context: Iterable[bytes],  # noqa: ARG002 (here and below: the contract's)
        *,
        dockerfile: str,  # noqa: ARG002
        target: str | None,  # noqa: ARG002
        tag: str,  # noqa: ARG002
        labels: Labels,  # noqa: ARG002
    ) -> Iterator[str]:
        """Raise `EngineUnavailableError`: a Dockerfile is the engine's."""
        raise self._why

    def load(self, archive: Iterable[bytes]) -> None:
        """Take a docker-archive of one layer."""
        texts: dict[str, bytes] = {}
        draft = f"images/loading-{os.getpid()}"
        rooms.remove(self._store, draft)
        self._place(draft)
        try:
            with tarfile.open(fileobj=io.BufferedReader(Reading(archive)), mode="r|") as tar:
                for member in tar:
                    content = tar.extractfile(member)
                    assert content is not None, "it holds files alone"
                    if member.name.endswith(".json"):
                        texts[member.name] = content.read()
                    else:
                        self._unpack(content, f"{draft}/root")
            (manifest,) = json.loads(texts["manifest.json"])
            self._keep(draft, texts[manifest["Config"]], manifest.get("RepoTags") or ())
        finally:
            rooms.remove(self._store, draft)

    def _unpack(self, layer: IO[bytes], place: str) -> None:
        unpacked = rooms.beside(self._store, [*_UNTAR, place])
        while piece := layer.read(_PIECE):
            unpacked.send(piece)
        rooms.done(unpacked, "tar")

    def _keep(self, draft: str, config: bytes, tags: Iterable[str]) -> None:
        name = hashlib.sha256(config).hexdigest()
        said = json.loads(config)
        about = ImageInfo(
            id=f"sha256:{name}",
            tags=(),
            digests=(),
            labels=said["config"].get("Labels") or {},
            env=tuple(_pair(one) for one in said["config"].get("Env") or ()),
            workdir=said["config"].get("WorkingDir", ""),
            user=said["config"].get("User", ""),
            architecture=said["architecture"],
            size=0,
            created=said["created"],
            layers=tuple(said["rootfs"]["diff_ids"]),
        )
        rooms.remove(self._store, f"images/{name}")
        _write(self._store / draft, about)
        (self._store / draft).rename(self._store / "images" / name)
        for tag in tags:
            self.tag(about.id, tag)

    def tag(self, image_id: str, reference: str) -> None:
        """Give the image the name `reference`, taking it from any other."""
        for one in self.images({}):
            others = tuple(tag for tag in one.tags if tag != reference)
            tags = (*others, reference) if one.id == image_id else others
            if tags != one.tags:
                _write(self._store / "images" / one.id.removeprefix("sha256:"), replace(one, tags=tags))

    def remove_image(self, reference: str, *, force: bool = False) -> None:  # noqa: ARG002 (the contract's)
        """Remove a tag, or an image by id."""
        found = self.image(reference)
        if found is None:
            return
        place = f"images/{found.id.removeprefix('sha256:')}"
        others = tuple(tag for tag in found.tags if tag != reference)
        if others and others != found.tags:
            _write(self._store / place, replace(found, tags=others))
            return
        (self._store / place / _ABOUT).unlink(missing_ok=True)
        rooms.remove(self._store, place)

    def commit(self, container_id: str, *, config: ImageConfig, message: str, reference: str | None = None) -> str:
        """Make an image of the container's file system, which the container does not have any more then."""
        about = self._required(container_id)
        below = self.image(about["image"])
        name = hashlib.sha256(secrets.token_bytes(32) + message.encode()).hexdigest()
        self._have_root(container_id, about)
        place = self._place(f"images/{name}")
        (place / "root").rmdir()
        (self._store / "containers" / container_id / "root").rename(place / "root")
        made = ImageInfo(
            id=f"sha256:{name}",
            tags=(),
            digests=(),
            labels=dict(config.labels),
            env=config.env,
            workdir=config.workdir,
            user=config.user,
            architecture=below.architecture if below else self.info.architecture,
            size=0,
            created=_now(),
            layers=(*(below.layers if below else ()), f"sha256:{name}"),
            parent=about["image"],
        )
        _write(place, made)
        if reference:
            self.tag(made.id, reference)
        return made.id

    def create(self, request: ContainerRequest) -> str:
        """Make a container of a build; `EngineUnavailableError` for any other, of which this has none."""
        about = asdict(replace(request, mounts=()))
        if dict(request.labels).get(LABEL_ROLE) != ROLE_STEP or request.devices or request.gpus:
            raise self._why
        if any(mount.kind is MountKind.BIND for mount in request.mounts):
            raise self._why
        if self.image(request.image) is None:
            raise EngineError(f"there is no image {request.image}", hint="run: devbox up")
        name = secrets.token_hex(8)
        place = self._store / "containers" / name
        for path in (self._store, place.parent, place):
            rooms.make_place(path)
        for mount in request.mounts:
            self._have_volume(mount.source, dict(mount.labels))
        del about["allowance"], about["mounts"]
        record.write_text(str(place / _ABOUT), json.dumps({**about, "created": _now()}))
        self._running[name] = Running(self._store, request, f"containers/{name}/root")
        return name

    def start(self, container_id: str) -> None:
        """Start it; no-op if it runs."""
        self._have_root(container_id, self._required(container_id))
        self._of_ours(container_id).start()

    def stop(self, container_id: str, *, timeout: int = 10) -> None:  # noqa: ARG002 (the contract's)
        """End it; a step has nothing to put away."""
        self.kill(container_id)

    def kill(self, container_id: str) -> None:
        """End it at once; no-op if it does not run. One of a devbox that was killed has ended with that."""
        if container_id in self._running:
            self._running[container_id].end()

    def rename(self, container_id: str, name: str) -> None:
        """Do nothing: it has no other name than its id."""

    def wait(self, container_id: str) -> int:
        """Wait for its end and return the exit code."""
        return self._of_ours(container_id).wait()

    def remove(self, container_id: str) -> None:
        """Remove it, running or not."""
        self.kill(container_id)
        self._running.pop(container_id, None)
        rooms.remove(self._store, f"containers/{container_id}")

    def container(self, name_or_id: str) -> ContainerInfo | None:
        """Return one container."""
        about = self._about(name_or_id)
        if about is None:
            return None
        ours = self._running.get(name_or_id)
        status = ours.status if ours else "exited"
        return ContainerInfo(
            id=name_or_id,
            name=name_or_id,
            image=about["image"],
            status=status,
            exit_code=ours.exit_code if ours else 0,
            oom_killed=False,
            labels=dict(about["labels"]),
            mounts=(),
            created=about["created"],
        )

    def containers(self, labels: Labels) -> list[ContainerInfo]:
        """Return the containers that carry all `labels` (empty value: any value)."""
        found = [self.container(path.name) for path in _entries(self._store / "containers")]
        return [one for one in found if one and _carries(one.labels, labels)]

    def export(self, container_id: str) -> Iterator[bytes]:
        """Yield its file system as a tar stream; a container that never ran has its image's."""
        about = self._required(container_id)
        own = f"containers/{container_id}/root"
        image = f"images/{about['image'].removeprefix('sha256:')}/root"
        place = own if (self._store / own).exists() else image
        packed = rooms.beside(self._store, ["sh", "-c", _TAR, "tar", place])
        packed.close_stdin()
        words = b""
        try:
            while (frame := packed.receive()) is not None:
                if frame[0] == 1:
                    yield frame[1]
                else:
                    words += frame[1]
            if packed.wait():
                raise EngineError("the image cannot be read", detail=words.decode("utf-8", "replace"))
        finally:
            packed.end()

    def logs(self, container_id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:  # noqa: ARG002
        """Yield nothing: whoever attaches has all of it."""
        return iter(())

    def attach(self, container_id: str) -> Stream:
        """Attach to a container that has not been started."""
        return self._of_ours(container_id)

    def exec(self, container_id: str, request: ExecRequest) -> ExecSession:  # noqa: ARG002
        """Raise `EngineUnavailableError`: nothing runs here but a step's own program."""
        raise self._why

    def volumes(self, labels: Labels) -> list[VolumeInfo]:
        """Return the caches that carry all `labels` (empty value: any value)."""
        files = sorted((self._store / "volumes").glob("*.json"))
        found = [VolumeInfo(name=file.stem, labels=json.loads(file.read_text())) for file in files]
        return [one for one in found if _carries(one.labels, labels)]

    def remove_volume(self, name: str) -> bool:
        """Remove a cache."""
        rooms.run(self._store, ["rm", "-rf", "--one-file-system", "--", f"volumes/{name}"])
        (self._store / "volumes" / f"{name}.json").unlink(missing_ok=True)
        return True

    def networks(self, labels: Labels) -> list[str]:  # noqa: ARG002
        """Return nothing: there are none."""
        return []

    def make_network(self, name: str, labels: Labels) -> None:
        """Do nothing: no environment of its own would be on it."""

    def join_network(self, name: str, container_id: str, names: Sequence[str]) -> None:
        """Do nothing."""

    def remove_network(self, name: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """End what runs."""
        for one in self._running.values():
            one.end()

    def _image(self, name: str) -> ImageInfo | None:
        try:
            said = json.loads((self._store / "images" / name / _ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        lists = {key: tuple(said[key]) for key in ("tags", "digests", "layers", "volumes")}
        return ImageInfo(**{**said, **lists, "env": tuple((key, value) for key, value in said["env"])})

    def _place(self, name: str) -> Path:
        place = self._store / name
        for path in (self._store, place.parent, place, place / "root"):
            rooms.make_place(path)
        return place

    def _have_volume(self, name: str, labels: Labels) -> None:
        if not name:
            return
        for path in (self._store / "volumes", self._store / "volumes" / name):
            rooms.make_place(path)
        record.write_text(str(self._store / "volumes" / f"{name}.json"), json.dumps(dict(labels)))

    def _have_root(self, container_id: str, about: dict[str, Any]) -> None:
        own = f"containers/{container_id}/root"
        if not (self._store / own).exists():
            image = f"images/{about['image'].removeprefix('sha256:')}/root"
            rooms.run(self._store, ["cp", "-a", "--reflink=auto", "--", image, own])

    def _about(self, container_id: str) -> dict[str, Any] | None:
        try:
            said = json.loads((self._store / "containers" / container_id / _ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return said if isinstance(said, dict) else None

    def _required(self, container_id: str) -> dict[str, Any]:
        about = self._about(container_id)
        if about is None:
            raise EngineError(f"there is no container {container_id}", hint="run the same command again")
        return about

    def _of_ours(self, container_id: str) -> Running:
        if container_id not in self._running:
            raise EngineError(f"the step {container_id} is another devbox's", hint="run the same command again")
        return self._running[container_id]


def _write(place: Path, about: ImageInfo) -> None:
    record.write_text(str(place / _ABOUT), json.dumps({**asdict(about), "labels": dict(about.labels)}))


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _carries(own: Labels, wanted: Labels) -> bool:
    return all(name in own and value in ("", own[name]) for name, value in wanted.items())


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
