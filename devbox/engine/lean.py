"""The engine over a bare unix socket, for the few requests that bring up what has been prepared before.

The SDK takes as long to import as an engine takes to make a container. This one speaks HTTP/1.0, one connection a
request, and passes the same policy and fault points; whatever is not a plain request goes to the full engine.
"""

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

from devbox.engine import policy
from devbox.engine.base import (
    ContainerInfo,
    ContainerRequest,
    Engine,
    EngineInfo,
    ExecRequest,
    ExecSession,
    ImageConfig,
    ImageInfo,
    Labels,
    Stream,
    VolumeInfo,
)
from devbox.engine.payload import container_body
from devbox.engine.readings import container_info, image_info, volume_info
from devbox.errors import EngineError, EngineUnavailableError
from devbox.faults import fault

_TIMEOUT: Final = 60.0  # seconds, for what an engine does at once
_GONE: Final = 404
_UNCHANGED: Final = 304


class LeanEngine:
    """An `Engine` on this machine that is known already: `info` is what it said of itself before.

    `api`: the API version to speak. `full` makes the engine that the rarer requests go to.
    """

    def __init__(self, path: str, *, info: EngineInfo, api: str, full: Callable[[], Engine]) -> None:
        self._path = path
        self._info = info
        self._api = api
        self._make_full = full
        self._full_engine: Engine | None = None

    @property
    def info(self) -> EngineInfo:
        """What this engine is."""
        return self._info

    @property
    def _full(self) -> Engine:
        self._full_engine = self._full_engine or self._make_full()
        return self._full_engine

    def image(self, reference: str) -> ImageInfo | None:
        """Return the local image with this id, tag or digest."""
        answer = self._get(f"/images/{quote(reference, safe='/:@')}/json")
        return None if answer is None else image_info(answer, podman=self._info.name == "podman")

    def images(self, labels: Labels) -> list[ImageInfo]:
        """Return the local images, untagged ones included, that carry all `labels`."""
        found = self._get(f"/images/json?{_filters(labels)}&all=1")
        infos = (self.image(item) for item in dict.fromkeys(str(item["Id"]) for item in found or ()))
        return [info for info in infos if info is not None]

    def container(self, name_or_id: str) -> ContainerInfo | None:
        """Return one container."""
        answer = self._get(f"/containers/{quote(name_or_id, safe='')}/json")
        return None if answer is None else container_info(answer)

    def containers(self, labels: Labels) -> list[ContainerInfo]:
        """Return the containers, stopped ones included, that carry all `labels`."""
        found = self._get(f"/containers/json?{_filters(labels)}&all=1")
        infos = (self.container(str(item["Id"])) for item in found or ())
        return [info for info in infos if info is not None]

    def volumes(self, labels: Labels) -> list[VolumeInfo]:
        """Return the volumes that carry all `labels`."""
        found = self._get(f"/volumes?{_filters(labels)}")
        return [volume_info(item) for item in (found or {}).get("Volumes") or ()]

    def create(self, request: ContainerRequest) -> str:
        """Make a container, stopped; return its id."""
        if self._info.name != "docker":
            return self._full.create(request)  # Podman wants more than one request for it
        query = f"?{urlencode({'name': request.name})}" if request.name else ""
        with policy.allowing(request.allowance):
            answer = self._post(f"/containers/create{query}", container_body(request), what=request.name or "")
        if answer is None:
            raise EngineError(f"the engine has no image {request.image}", hint="build it: devbox build")
        return str(answer["Id"])

    def start(self, container_id: str) -> None:
        """Start it; no-op if it runs."""
        self._post(f"/containers/{container_id}/start", None, what=container_id)

    def pull(self, reference: str) -> Iterator[str]:
        """Pull `reference`, yielding lines of progress."""
        return self._full.pull(reference)

    def load(self, archive: Iterable[bytes]) -> None:
        """Load a docker-archive tar stream."""
        self._full.load(archive)

    def build_classic(
        self, context: Iterable[bytes], *, dockerfile: str, target: str | None, tag: str, labels: Labels
    ) -> Iterator[str]:
        """Build a Dockerfile by the engine's own classic builder."""
        return self._full.build_classic(context, dockerfile=dockerfile, target=target, tag=tag, labels=labels)

    def tag(self, image_id: str, reference: str) -> None:
        """Give the image a name."""
        self._full.tag(image_id, reference)

    def remove_image(self, reference: str, *, force: bool = False) -> None:
        """Remove a tag, or an image by id."""
        self._full.remove_image(reference, force=force)

    def commit(self, container_id: str, *, config: ImageConfig, message: str, reference: str | None = None) -> str:
        """Make an image of the container's file system."""
        return self._full.commit(container_id, config=config, message=message, reference=reference)

    def stop(self, container_id: str, *, timeout: int = 10) -> None:
        """Stop it."""
        self._full.stop(container_id, timeout=timeout)

    def wait(self, container_id: str) -> int:
        """Wait for its end and return the exit code."""
        return self._full.wait(container_id)

    def remove(self, container_id: str) -> None:
        """Remove it, running or not, with its anonymous volumes."""
        self._full.remove(container_id)

    def export(self, container_id: str) -> Iterator[bytes]:
        """Yield its file system as a tar stream."""
        return self._full.export(container_id)

    def logs(self, container_id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what the first process wrote."""
        return self._full.logs(container_id, follow=follow, tail=tail)

    def attach(self, container_id: str) -> Stream:
        """Attach to a created container."""
        return self._full.attach(container_id)

    def exec(self, container_id: str, request: ExecRequest) -> ExecSession:
        """Start a process in a running container."""
        return self._full.exec(container_id, request)

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; False if a container uses it."""
        return self._full.remove_volume(name)

    def networks(self, labels: Labels) -> list[str]:
        """Return the names of the networks that carry all `labels`."""
        return self._full.networks(labels)

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        self._full.remove_network(name)

    def close(self) -> None:
        """Give back connections."""
        if self._full_engine is not None:
            self._full_engine.close()

    def _get(self, path: str) -> Any:  # noqa: ANN401 (JSON)
        return self._ask("GET", path, None)

    def _post(self, path: str, body: object, *, what: str) -> Any:  # noqa: ANN401 (JSON)
        route = "post " + path.partition("?")[0].rpartition("/")[2]
        fault(f"engine {route}")
        answer = self._ask("POST", path, body, what=what)
        fault(f"engine {route} done")
        return answer

    def _ask(self, method: str, path: str, body: object, *, what: str = "") -> Any:  # noqa: ANN401 (JSON)
        """Return the answer as a value; None for an absent thing, and for an answer without a body."""
        text = b"" if body is None else json.dumps(body).encode("utf-8", "surrogateescape")
        full_path = f"/v{self._api}{path}"
        policy.check(
            policy.EngineRequest(method=method, path=full_path, body=text or None), sockets=frozenset({self._path})
        )
        head = f"{method} {full_path} HTTP/1.0\r\nHost: engine\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        status, answer = self._exchange(head.encode() + text)
        try:
            value = json.loads(answer) if answer else None
        except ValueError as error:
            raise EngineUnavailableError(f"the engine at {self._info.url} broke off its answer") from error
        if status == _GONE:
            return None
        if status >= 400:
            words = value.get("message") if isinstance(value, dict) else None
            verb = path.partition("?")[0].rpartition("/")[2]
            raise EngineError(f"the engine did not {verb} {what}".rstrip(), detail=words)
        return value if status != _UNCHANGED else None

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_TIMEOUT)
                connection.connect(self._path)
                connection.sendall(request)
                pieces = iter(lambda: connection.recv(65536), b"")
                head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
            return int(head.split(b" ", 2)[1]), body
        except (OSError, IndexError, ValueError) as error:
            raise EngineUnavailableError(
                f"the engine at {self._info.url} does not answer", detail=str(error), hint="look at it: devbox doctor"
            ) from error


def _filters(labels: Labels) -> str:
    wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
    return urlencode({"filters": json.dumps({"label": wanted})})
