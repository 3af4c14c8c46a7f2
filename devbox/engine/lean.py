"""A Docker on this machine over its bare socket: the requests that commands are made of, without the SDK.

The SDK takes as long to import as an engine takes to make a container, and a connection for each request. This one
keeps its connections, and passes the same policy, log and fault points; what is rare goes to the full engine.
"""

import json
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, urlencode

from devbox.engine import endpoint as limits
from devbox.engine import payload, policy, readings
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
from devbox.engine.endpoint import Endpoint, agreed_version, changing, pasteable, patience
from devbox.engine.identity import describe
from devbox.engine.unavailable import reached
from devbox.engine.wire import BrokenAnswerError, UnansweredError, Wire
from devbox.errors import EngineError
from devbox.reporter import Reporter

_GONE: Final = 404
_CONFLICT: Final = 409
_REFUSED: Final = 400  # and above
_UNIX: Final = "unix://"
_LOOK: Final = "look at DOCKER_HOST or the docker context"


class _Refused(Exception):
    """The engine said no, or that there is no such thing."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(status, words)
        self.status = status
        self.words = words


class LeanEngine:
    """Keeps the contract of `engine.base.Engine`. Threads may use it side by side.

    `full` makes the engine that the rarer requests go to. `known`: what the engine said of itself before, and the
    version of its API to speak; else it is asked, as soon as `look` is called.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        reporter: Reporter,
        *,
        full: Callable[[], Engine],
        known: tuple[EngineInfo, str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._path = endpoint.address.removeprefix(_UNIX)
        self._sockets = frozenset({self._path, os.path.realpath(self._path)})
        self._reporter = reporter
        self._make_full = full
        self._full_engine: Engine | None = None
        self._idle: list[Wire] = []
        weakref.finalize(self, _close, self._idle)  # nobody closes the engine of a command that ends by an error
        self._version: dict[str, Any] = {}
        self._api = ""
        if known is not None:
            self.info, self._api = known

    def look(self) -> bool:
        """Ask the engine what it is; False if this client cannot speak to it. `EngineUnavailableError` as any request.

        Podman's answers and needs differ from Docker's in more than is worth knowing twice.
        """
        version = self._ask("answer", "GET", "/version", timeout=limits.PROBE_TIMEOUT)
        if not isinstance(version, dict):
            raise EngineError(f"what answers at {self.endpoint.url} is no container engine", hint=_LOOK)
        self._version = version
        newest, oldest = str(self._version.get("ApiVersion", "1.41")), str(self._version.get("MinAPIVersion", "1.24"))
        self._api = agreed_version(newest, oldest)
        return not any("Podman" in str(part.get("Name")) for part in self._version.get("Components") or ())

    @cached_property
    def info(self) -> EngineInfo:
        """What this engine is."""
        return describe(self.endpoint, self._version, self._ask("describe itself", "GET", "/info"))

    @property
    def _full(self) -> Engine:
        self._full_engine = self._full_engine or self._make_full()
        return self._full_engine

    # images

    def image(self, reference: str) -> ImageInfo | None:
        """Return the local image with this id, tag or digest."""
        path = f"/images/{quote(reference, safe='/:@')}/json"
        answer = self._ask(f"look up the image {reference}", "GET", path, absent=None)
        return None if answer is None else readings.image_info(answer)

    def images(self, labels: Labels) -> list[ImageInfo]:
        """Return the local images, untagged ones included, that carry all `labels`."""
        found = self._ask("list images", "GET", f"/images/json?{_filters(labels)}&all=1")
        infos = (self.image(item) for item in dict.fromkeys(str(item["Id"]) for item in found or ()))
        return [info for info in infos if info is not None]

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
        """Give the image the name `reference`."""
        repository, tag = payload.split_reference(reference)
        query = urlencode({"repo": repository, "tag": tag, "force": 1})
        self._ask(f"tag {reference}", "POST", f"/images/{image_id}/tag?{query}")

    def remove_image(self, reference: str, *, force: bool = False) -> None:
        """Remove a tag, or an image by id; the untagged images below it stay."""
        path = f"/images/{quote(reference, safe='/:@')}?force={int(force)}&noprune=1"
        self._ask(f"remove the image {reference}", "DELETE", path, absent=None)

    def commit(self, container_id: str, *, config: ImageConfig, message: str, reference: str | None = None) -> str:
        """Make an image of the container's file system with `config`; return its id."""
        what = "commit the container"
        container = self._ask(what, "GET", f"/containers/{container_id}/json")
        complete = payload.complete_config(config, container.get("Config") or {})
        query = {"container": container_id, "comment": message, "pause": 1}
        if reference:
            query["repo"], query["tag"] = payload.split_reference(reference)
        answer = self._ask(what, "POST", f"/commit?{urlencode(query)}", payload.image_body(complete))
        return readings.image_id(str(answer["Id"]))

    # containers

    def create(self, request: ContainerRequest) -> str:
        """Make a container, stopped; return its id."""
        query = f"?{urlencode({'name': request.name})}" if request.name else ""
        body = payload.container_body(request)
        what = f"create the container {request.name or ''}".rstrip()
        with policy.allowing(request.allowance):
            answer = self._ask(what, "POST", f"/containers/create{query}", body, absent=None)
        if answer is None:
            raise EngineError(f"the engine has no image {request.image}", hint="build it: devbox build")
        return str(answer["Id"])

    def start(self, container_id: str) -> None:
        """Start it; no-op if it runs."""
        self._ask("start the container", "POST", f"/containers/{container_id}/start")

    def stop(self, container_id: str, *, timeout: int = 10) -> None:
        """Stop it; no-op if it does not run."""
        self._ask("stop the container", "POST", f"/containers/{container_id}/stop?t={timeout}", absent=None)

    def kill(self, container_id: str) -> None:
        """End it by SIGKILL and return when it has ended; no-op if it does not run, or is not there."""
        try:
            self._request("POST", f"/containers/{container_id}/kill")
        except _Refused as refused:
            if refused.status not in (_GONE, _CONFLICT):
                raise _failure("kill the container", refused) from refused

    def rename(self, container_id: str, name: str) -> None:
        """Give it another name; no-op if it is not there."""
        path = f"/containers/{container_id}/rename?{urlencode({'name': name})}"
        self._ask("rename the container", "POST", path, absent=None)

    def wait(self, container_id: str) -> int:
        """Wait for its end and return the exit code."""
        return int(self._ask("wait for the container", "POST", f"/containers/{container_id}/wait")["StatusCode"])

    def remove(self, container_id: str) -> None:
        """Remove it, running or not, with its anonymous volumes."""
        what, path = "remove the container", f"/containers/{container_id}?v=1&force=1"
        try:
            self._request("DELETE", path)
        except _Refused as refused:
            if refused.status == _CONFLICT and "already in progress" in refused.words:
                self._wait_until_gone(container_id)
            elif refused.status != _GONE:
                raise _failure(what, refused) from refused

    def container(self, name_or_id: str) -> ContainerInfo | None:
        """Return one container."""
        path = f"/containers/{quote(name_or_id, safe='')}/json"
        answer = self._ask(f"look up the container {name_or_id}", "GET", path, absent=None)
        return None if answer is None else readings.container_info(answer)

    def containers(self, labels: Labels) -> list[ContainerInfo]:
        """Return the containers, stopped ones included, that carry all `labels`."""
        found = self._ask("list containers", "GET", f"/containers/json?{_filters(labels)}&all=1")
        infos = (self.container(str(item["Id"])) for item in found or ())
        return [info for info in infos if info is not None]

    def export(self, container_id: str) -> Iterator[bytes]:
        """Yield its file system as a tar stream."""
        return self._full.export(container_id)

    def logs(self, container_id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what the first process wrote."""
        return self._full.logs(container_id, follow=follow, tail=tail)

    def attach(self, container_id: str) -> Stream:
        """Attach to a created container's stdin, stdout and stderr."""
        from devbox.engine.attached import EngineStream  # lazy: TLS, which no socket needs
        from devbox.engine.streams import HijackedStream

        what, path = "attach to the container", f"/containers/{container_id}/attach?stdin=1&stdout=1&stderr=1&stream=1"
        with reached(self.endpoint):
            wire = Wire(self._path)
            try:
                _value(*self._exchange(wire, "POST", path, b"", upgrade=True))
                stream = HijackedStream(wire.reader, release=wire.close, multiplexed=True)
            except _Refused as refused:
                wire.close()
                raise _failure(what, refused) from refused
            except BaseException:
                wire.close()
                raise
        return EngineStream(stream, self.endpoint)

    def exec(self, container_id: str, request: ExecRequest) -> ExecSession:
        """Start a process in a running container."""
        return self._full.exec(container_id, request)

    # volumes and networks

    def volumes(self, labels: Labels) -> list[VolumeInfo]:
        """Return the volumes that carry all `labels`."""
        found = self._ask("list volumes", "GET", f"/volumes?{_filters(labels)}")
        return [readings.volume_info(item) for item in found.get("Volumes") or ()]

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; False if a container uses it."""
        what = f"remove the volume {name}"
        try:
            self._request("DELETE", f"/volumes/{quote(name, safe='')}")
        except _Refused as refused:
            if refused.status == _CONFLICT:
                return False
            if refused.status != _GONE:
                raise _failure(what, refused) from refused
        return True

    def networks(self, labels: Labels) -> list[str]:
        """Return the names of the networks that carry all `labels`."""
        found = self._ask("list networks", "GET", f"/networks?{_filters(labels)}")
        return [str(item["Name"]) for item in found or ()]

    def make_network(self, name: str, labels: Labels) -> None:
        """Make a network that leads nowhere but to its members."""
        self._full.make_network(name, labels)

    def join_network(self, name: str, container_id: str, names: Sequence[str]) -> None:
        """Have a container on it as well."""
        self._full.join_network(name, container_id, names)

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        self._ask(f"remove the network {name}", "DELETE", f"/networks/{quote(name, safe='')}", absent=None)

    def close(self) -> None:
        """Give back connections."""
        _close(self._idle)
        if self._full_engine is not None:
            self._full_engine.close()

    # requests

    def _ask(
        self,
        what: str,
        method: str,
        path: str,
        body: object = None,
        *,
        absent: object = _Refused,
        timeout: float | None = None,
    ) -> Any:  # noqa: ANN401 (JSON)
        """Return the answer as a value; `absent`, if given, for a thing that is not there.

        `what`: "start the container", for messages.
        """
        try:
            return self._request(method, path, body, timeout=timeout)
        except _Refused as refused:
            if refused.status == _GONE and absent is not _Refused:
                return absent
            raise _failure(what, refused) from refused

    def _request(self, method: str, path: str, body: object = None, *, timeout: float | None = None) -> Any:  # noqa: ANN401 (JSON)
        text = b"" if body is None else json.dumps(body).encode("utf-8", "surrogateescape")
        with reached(self.endpoint):
            try:
                answer = self._answer(self._wire(), method, path, text, timeout=timeout)
            except UnansweredError:
                if method != "GET":  # it may have been carried out
                    raise
                answer = self._answer(Wire(self._path), method, path, text, timeout=timeout)
            return _value(*answer)

    def _answer(self, wire: Wire, method: str, path: str, text: bytes, *, timeout: float | None) -> tuple[int, bytes]:
        try:
            found = self._exchange(wire, method, path, text, timeout=timeout)
        except BaseException:
            wire.close()
            raise
        self._idle.append(wire)
        return found

    def _wire(self) -> Wire:
        """Return a connection that nobody else uses."""
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                return Wire(self._path)
            if wire.idle:
                return wire
            wire.close()

    def _exchange(
        self, wire: Wire, method: str, path: str, body: bytes, *, timeout: float | None = None, upgrade: bool = False
    ) -> tuple[int, bytes]:
        address = f"/v{self._api}{path}" if self._api else path
        policy.check(policy.EngineRequest(method=method, path=address, body=body or None), sockets=self._sockets)
        self._reporter.debug(pasteable(self.endpoint, method, address, body))
        route = policy.route_of(address)
        with changing(method, route):
            return wire.ask(method, address, body, timeout=timeout or patience(route), upgrade=upgrade)

    def _wait_until_gone(self, container_id: str) -> None:
        """A removal that somebody else began may still be going on."""
        end = time.monotonic() + 10
        while self.container(container_id) is not None and time.monotonic() < end:
            time.sleep(0.02)


def _close(wires: list[Wire]) -> None:
    while wires:
        wires.pop().close()


def _value(status: int, answer: bytes) -> Any:  # noqa: ANN401 (JSON)
    """Return an answer as a value, None for one without a body; `_Refused` if it is a no."""
    try:
        value = json.loads(answer) if answer else None
    except ValueError as error:
        if status < _REFUSED:
            raise BrokenAnswerError("the answer is not JSON") from error
        value = None
    if status < _REFUSED:
        return value
    words = value.get("message") if isinstance(value, dict) else None
    raise _Refused(status, str(words or answer.decode("utf-8", "replace")).strip())


def _failure(what: str, refused: _Refused) -> EngineError:
    return EngineError(f"the engine did not {what}", detail=refused.words or None)


def _filters(labels: Labels) -> str:
    wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
    return urlencode({"filters": json.dumps({"label": wanted})})
