"""SdkEngine: an engine over the docker SDK's low-level client (Docker, Podman's service, a remote Docker)."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeVar

import docker.errors

from devbox.engine import classic, payload, readings
from devbox.engine.attached import EngineStream
from devbox.engine.base import (
    ContainerInfo,
    ContainerRequest,
    EngineInfo,
    ExecRequest,
    ImageConfig,
    ImageInfo,
    Labels,
    MountKind,
    VolumeInfo,
)
from devbox.engine.client import PolicedClient
from devbox.engine.endpoint import Endpoint, knock
from devbox.engine.failures import explained, is_status, registry_failure, words_of
from devbox.engine.identity import describe
from devbox.engine.policy import allowing
from devbox.engine.sessions import SdkExecSession
from devbox.engine.streams import Frames
from devbox.errors import EngineError
from devbox.reporter import Reporter

T = TypeVar("T")
_GONE: Final = 404
_CONFLICT: Final = 409
_PIECE: Final = 1024**2  # bytes


class SdkEngine:
    """Keeps the contract of `engine.base.Engine`."""

    def __init__(self, endpoint: Endpoint, reporter: Reporter) -> None:
        """Connect; `EngineUnavailableError` if nobody answers, in less than a second if nobody is there."""
        self.endpoint = endpoint
        with explained(endpoint, "answer"):
            knock(endpoint)
            self._client = PolicedClient(endpoint, reporter)
            self._version = self._client.negotiate()

    @cached_property
    def info(self) -> EngineInfo:
        """What this engine is."""
        with explained(self.endpoint, "describe itself"):
            details = self._client.info()
        return describe(self.endpoint, self._version, details)

    # images

    def image(self, reference: str) -> ImageInfo | None:
        """Return the local image with this id, tag or digest."""
        with explained(self.endpoint, f"look up the image {reference}"):
            answer = _unless_absent(lambda: self._client.inspect_image(reference))  # type: ignore[no-untyped-call]
        return None if answer is None else readings.image_info(answer, podman=self._is_podman)

    def images(self, labels: Labels) -> list[ImageInfo]:
        """Return the local images that carry all `labels`."""
        with explained(self.endpoint, "list images"):
            # Without `all`, an untagged image that others are made from is left out.
            found = self._client.images(all=True, filters=_filters(labels))
        ids = dict.fromkeys(readings.image_id(str(item["Id"])) for item in found)
        return [image for image in map(self.image, ids) if image is not None]

    def pull(self, reference: str) -> Iterator[str]:
        """Pull `reference`, yielding lines of progress."""
        with explained(self.endpoint, f"pull {reference}"):
            try:
                for event in self._client.pull(reference, stream=True, decode=True):
                    if event.get("error"):
                        raise registry_failure(reference, str(event["error"]))
                    yield from _progress(event)
            except docker.errors.APIError as error:
                raise registry_failure(reference, words_of(error)) from error

    def build_classic(
        self, context: Iterable[bytes], *, dockerfile: str, target: str | None, tag: str, labels: Labels
    ) -> Iterator[str]:
        """Build a Dockerfile with the engine's classic builder, yielding its lines."""
        with explained(self.endpoint, f"build {dockerfile}"):
            yield from classic.build_classic(
                self._client, context, dockerfile=dockerfile, target=target, tag=tag, labels=labels
            )

    def load(self, archive: Iterable[bytes]) -> None:
        """Load a docker-archive tar stream."""
        with explained(self.endpoint, "load the image archive"):
            events = self._client.load_image(_readable(archive), quiet=True)  # type: ignore[no-untyped-call]
            for event in events:
                if isinstance(event, dict) and event.get("error"):
                    raise EngineError("the engine did not load the image archive", detail=str(event["error"]))

    def tag(self, image_id: str, reference: str) -> None:
        """Give the image the name `reference`."""
        repository, tag = payload.split_reference(reference)
        with explained(self.endpoint, f"tag {reference}"):
            self._client.tag(image_id, repository, tag, force=True)

    def remove_image(self, reference: str, *, force: bool = False) -> None:
        """Remove a tag, or an image by id; the untagged images below it stay."""
        with explained(self.endpoint, f"remove the image {reference}"):
            _unless_absent(lambda: self._client.remove_image(reference, force=force, noprune=True))

    def commit(self, container_id: str, *, config: ImageConfig, message: str, reference: str | None = None) -> str:
        """Make an image of the container's file system with `config`; return its id."""
        repository, tag = payload.split_reference(reference) if reference else (None, None)
        with explained(self.endpoint, "commit the container"):
            container = self._client.inspect_container(container_id)
            complete = payload.complete_config(config, container.get("Config") or {})
            answer = self._client.commit(
                container_id,
                repository=repository,
                tag=tag,
                message=message,
                # Podman does not read the body, and Docker does not need the instructions.
                changes=payload.instructions(complete) if self._is_podman else None,
                conf=payload.image_body(complete),
            )
        return readings.image_id(str(answer["Id"]))

    # containers

    def create(self, request: ContainerRequest) -> str:
        """Make a container, stopped; return its id."""
        namespace = "keep-id" if self._is_podman and self.info.rootless and _has_bind(request) else ""
        body = payload.container_body(request, user_namespace=namespace)
        if self._is_podman:
            del body["Healthcheck"]  # Podman would look for systemd's timers
        with (
            explained(self.endpoint, f"create the container {request.name or ''}".rstrip()),
            allowing(request.allowance),
        ):
            if self._is_podman:
                self._make_volumes(request)
            try:
                return self._client.make_container(body, request.name)
            except docker.errors.ImageNotFound as error:
                raise EngineError(
                    f"the engine has no image {request.image}", detail=words_of(error), hint="build it: devbox build"
                ) from error

    def start(self, container_id: str) -> None:
        """Start it; no-op if it runs."""
        with explained(self.endpoint, "start the container"):
            self._client.start(container_id)

    def stop(self, container_id: str, *, timeout: int = 10) -> None:
        """Stop it; no-op if it does not run."""
        with explained(self.endpoint, "stop the container"):
            _unless_absent(lambda: self._client.stop(container_id, timeout=timeout))

    def kill(self, container_id: str) -> None:
        """End it by SIGKILL and return when it has ended; no-op if it does not run, or is not there."""
        with explained(self.endpoint, "kill the container"):
            try:
                _unless_absent(lambda: self._client.kill(container_id))
            except docker.errors.APIError:  # Docker's 409 is Podman's 500
                found = self.container(container_id)
                if found is not None and found.running:
                    raise
                return
        # Podman has sent the signal and says so, no more.
        if self._is_podman and self.container(container_id) is not None:
            self.wait(container_id)

    def rename(self, container_id: str, name: str) -> None:
        """Give it another name; no-op if it is not there."""
        with explained(self.endpoint, "rename the container"):
            _unless_absent(lambda: self._client.rename(container_id, name))

    def wait(self, container_id: str) -> int:
        """Wait for its end and return the exit code."""
        with explained(self.endpoint, "wait for the container"):
            return int(self._client.wait(container_id)["StatusCode"])

    def remove(self, container_id: str) -> None:
        """Remove it, running or not, with its anonymous volumes."""
        with explained(self.endpoint, "remove the container"):
            try:
                _unless_absent(lambda: self._client.remove_container(container_id, v=True, force=True))
            except docker.errors.APIError as error:
                if not is_status(error, _CONFLICT) or "already in progress" not in words_of(error):
                    raise
                self._wait_until_gone(container_id)

    def container(self, name_or_id: str) -> ContainerInfo | None:
        """Return one container."""
        with explained(self.endpoint, f"look up the container {name_or_id}"):
            answer = _unless_absent(lambda: self._client.inspect_container(name_or_id))
        return None if answer is None else readings.container_info(answer)

    def containers(self, labels: Labels) -> list[ContainerInfo]:
        """Return the containers, stopped ones included, that carry all `labels`."""
        with explained(self.endpoint, "list containers"):
            found = self._client.containers(all=True, filters=_filters(labels))
        infos = (self.container(str(item["Id"])) for item in found)
        return [info for info in infos if info is not None]

    def export(self, container_id: str) -> Iterator[bytes]:
        """Yield its file system as a tar stream."""
        with explained(self.endpoint, "export the container"):
            response = self._client.open(f"/containers/{container_id}/export")
            try:
                yield from iter(lambda: response.raw.read(_PIECE), b"")
            finally:
                response.close()

    def logs(self, container_id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what the first process wrote."""
        query = f"?stdout=1&stderr=1&follow={int(follow)}&tail={'all' if tail is None else tail}"
        with explained(self.endpoint, "give the container's output"):
            response = self._client.open(f"/containers/{container_id}/logs{query}")
            try:
                frames = Frames(response.raw.read)
                while (frame := frames.receive()) is not None:
                    yield frame
            finally:
                response.close()

    def attach(self, container_id: str) -> EngineStream:
        """Attach to a created container's stdin, stdout and stderr."""
        with explained(self.endpoint, "attach to the container"):
            stream = self._client.hijack(
                f"/containers/{container_id}/attach?stdin=1&stdout=1&stderr=1&stream=1", terminal=False
            )
        return EngineStream(stream, self.endpoint)

    def exec(self, container_id: str, request: ExecRequest) -> SdkExecSession:
        """Start a process in a running container."""
        with explained(self.endpoint, "start a process in the container"):
            exec_id = self._client.make_exec(container_id, payload.exec_body(request, sized=self._client.has(1, 42)))
            start = {"Tty": request.terminal, "Detach": False}
            stream = self._client.hijack(f"/exec/{exec_id}/start", body=start, terminal=request.terminal)
        session = SdkExecSession(stream, self.endpoint, client=self._client, exec_id=exec_id, terminal=request.terminal)
        session.resize(request.rows, request.columns)
        return session

    # volumes and networks

    def volumes(self, labels: Labels) -> list[VolumeInfo]:
        """Return the volumes that carry all `labels`."""
        with explained(self.endpoint, "list volumes"):
            found = self._client.volumes(filters=_filters(labels)).get("Volumes") or []
        return [readings.volume_info(item) for item in found]

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; False if a container uses it."""
        with explained(self.endpoint, f"remove the volume {name}"):
            try:
                _unless_absent(lambda: self._client.remove_volume(name))
            except docker.errors.APIError as error:
                if is_status(error, _CONFLICT):
                    return False
                raise
        return True

    def networks(self, labels: Labels) -> list[str]:
        """Return the names of the networks that carry all `labels`."""
        with explained(self.endpoint, "list networks"):
            return [str(item["Name"]) for item in self._client.networks(filters=_filters(labels))]

    def make_network(self, name: str, labels: Labels) -> None:
        """Make a network that leads nowhere but to its members."""
        with explained(self.endpoint, f"make the network {name}"):
            self._client.create_network(name, internal=True, labels=dict(labels))

    def join_network(self, name: str, container_id: str, names: Sequence[str]) -> None:
        """Have a container on it as well; no-op if it is."""
        known = self._client.inspect_container(container_id)["NetworkSettings"].get("Networks") or {}
        if name in known:
            return
        with explained(self.endpoint, f"join the network {name}"):
            self._client.connect_container_to_network(container_id, name, aliases=list(names))

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        with explained(self.endpoint, f"remove the network {name}"):
            _unless_absent(lambda: self._client.remove_network(name))

    def close(self) -> None:
        """Give back connections."""
        self._client.close()

    def _make_volumes(self, request: ContainerRequest) -> None:
        """Make the volumes beforehand: Podman gives those that a mount brings into being no labels."""
        for mount in request.mounts:
            if mount.kind is MountKind.VOLUME:
                self._client.create_volume(mount.source, labels=dict(mount.labels))

    @property
    def _is_podman(self) -> bool:
        return any("Podman" in str(part.get("Name")) for part in self._version.get("Components") or ())

    def _wait_until_gone(self, container_id: str) -> None:
        """A removal that somebody else began may still be going on."""
        end = time.monotonic() + 10
        while self.container(container_id) is not None and time.monotonic() < end:
            time.sleep(0.02)


def _unless_absent(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except docker.errors.APIError as error:
        if is_status(error, _GONE):
            return None
        raise


def _filters(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"label": [f"{name}={value}" if value else name for name, value in labels.items()]}


def _has_bind(request: ContainerRequest) -> bool:
    return any(mount.kind is MountKind.BIND for mount in request.mounts)


def _progress(event: Mapping[str, Any]) -> Iterator[str]:
    status = str(event.get("status") or event.get("stream") or "").strip()
    if status and not event.get("progressDetail"):
        yield f"{event['id']}: {status}" if event.get("id") else status


def _readable(archive: Iterable[bytes]) -> Iterator[bytes]:
    """Pass `archive` on; its own failure must not look like the engine's."""
    try:
        yield from archive
    except OSError as error:
        raise EngineError("the image archive cannot be read", detail=str(error)) from error
