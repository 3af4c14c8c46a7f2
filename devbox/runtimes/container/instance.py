"""An Instance of the runtime `container`: one container."""

import secrets
from collections.abc import Iterator, Mapping

from devbox.engine.base import ContainerInfo, Engine, ExecRequest, MountKind
from devbox.errors import BaseImageError, EngineError, PortTakenError
from devbox.runtimes.base import ExecSpec, InstanceState, PublishedPort, Session, Share
from devbox.runtimes.container.request import LABEL_MEMORY, exec_request, published
from devbox.runtimes.container.session import ContainerSession
from devbox.runtimes.container.sources import check_sources
from devbox.values import LABEL_RECIPE, LABEL_SPEC, format_size

_TAKEN = ("port is already allocated", "address already in use", "ports are not available")
_ENDED_BY_STOP = (0, 137, 143)


class ContainerInstance:
    """One container, as it was when it was looked up; `refused` collects ports that the engine could not have."""

    def __init__(self, engine: Engine, info: ContainerInfo, *, refused: set[tuple[int, str]]) -> None:
        self._engine = engine
        self._info = info
        self._refused = refused

    @property
    def id(self) -> str:
        """The container's id."""
        return self._info.id

    @property
    def name(self) -> str:
        """The name from the spec."""
        return self._info.name

    @property
    def image(self) -> str:
        """The id of the image it was made from."""
        return self._info.image

    @property
    def spec_digest(self) -> str:
        """`InstanceSpec.digest` of what it was made from; empty if it does not say."""
        return self._info.labels.get(LABEL_SPEC, "")

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self._info.labels

    @property
    def shares(self) -> tuple[Share, ...]:
        """The host paths seen inside."""
        return tuple(
            Share(source=mount.source, target=mount.target, read_only=mount.read_only)
            for mount in self._info.mounts
            if mount.kind is MountKind.BIND
        )

    @property
    def state(self) -> InstanceState:
        """Its state when it was looked up."""
        match self._info.status:
            case "created":
                return InstanceState.CREATED
            case "running":
                return InstanceState.RUNNING
            case "exited" | "stopped":
                return InstanceState.STOPPED
            case _:
                return InstanceState.BROKEN

    @property
    def problem(self) -> str | None:
        """Why it does not run, in plain words, if it should."""
        info = self._info
        if info.running or info.status == "created":
            return None
        if info.oom_killed:
            limit = info.labels.get(LABEL_MEMORY, "")
            return f"killed for memory, limit {format_size(int(limit))}" if limit.isdigit() else "killed for memory"
        if self.state is InstanceState.BROKEN:
            return f"the engine calls it {info.status}"
        return None if info.exit_code in _ENDED_BY_STOP else f"ended by itself with exit code {info.exit_code}"

    @property
    def ports(self) -> tuple[PublishedPort, ...]:
        """The ports that answer on the host, with the spec's names."""
        return published(self._info)

    def start(self) -> None:
        """Start it; no-op if it runs.

        Raises `ProfileError` if a shared host path is gone (S-16), `PortTakenError` if a port of the host has
        been taken since, `BaseImageError` if the image has no shell to live by.
        """
        check_sources(self.shares)
        try:
            self._engine.start(self.id)
        except EngineError as error:
            raise self._explained(error) from error
        self._info = self._engine.container(self.id) or self._info
        if not self._has_been_built():
            self._require_shell()

    def _explained(self, error: EngineError) -> EngineError | PortTakenError:
        words = f"{error.message} {error.detail or ''}".lower()
        if not any(phrase in words for phrase in _TAKEN):
            return error
        taken = [port for port in self.ports if f":{port.host_port}" in words] or list(self.ports)
        self._refused.update((port.host_port, port.protocol) for port in taken)
        names = ", ".join(f"{port.name} ({port.host_port})" for port in taken)
        return PortTakenError(f"taken on this host: {names}", detail=error.detail)

    def _has_been_built(self) -> bool:
        """Whether the image is a build's, whose steps have run in its shell; a foreign one may have none."""
        image = self._engine.image(self.image)
        return image is not None and LABEL_RECIPE in image.labels

    def _require_shell(self) -> None:
        try:
            probe = self._engine.exec(self.id, ExecRequest(argv=("/bin/sh", "-c", ":"), user="0:0"))
        except EngineError as error:
            raise self._no_shell(error.detail or error.message) from error
        try:
            while probe.receive() is not None:
                pass
            status = probe.exit_code()
        finally:
            probe.close()
        if status:
            raise self._no_shell(f"/bin/sh ended with exit code {status}")

    def _no_shell(self, detail: str) -> BaseImageError:
        image = self._engine.image(self.image)
        name = image.tags[0] if image and image.tags else self.image
        return BaseImageError(
            f"the image {name} has no shell or no sleep, so nobody can enter it",
            detail=detail,
            hint='choose a base with a shell, as base.image = "debian:12"',
        )

    def stop(self, *, timeout: int = 10) -> None:
        """Stop it within about `timeout` seconds; no-op if it does not run."""
        self._engine.stop(self.id, timeout=timeout)
        self._info = self._engine.container(self.id) or self._info

    def remove(self) -> None:
        """Remove it, running or not; volumes stay."""
        self._engine.remove(self.id)

    def exec(self, spec: ExecSpec) -> Session:
        """Start a process inside; `EngineError` if it does not run."""
        token = secrets.token_hex(8)
        process = self._engine.exec(self.id, exec_request(spec, token))
        return ContainerSession(self._engine, container=self.id, token=token, process=process)

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what its first process wrote."""
        return self._engine.logs(self.id, follow=follow, tail=tail)
