"""The runtime `container`, over any Engine."""

from collections.abc import Mapping

from devbox.engine.base import Engine
from devbox.errors import AgentError, EngineError, RuntimeUnavailableError
from devbox.runtimes.base import Features, Instance, InstanceSpec
from devbox.runtimes.container.delivery import deliver, layered_image
from devbox.runtimes.container.instance import ContainerInstance
from devbox.runtimes.container.request import container_request
from devbox.runtimes.container.sources import check_sources


class ContainerRuntime:
    """Instances are containers; labels on them are all that it remembers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        """Its name in a profile."""
        return "container"

    @property
    def features(self) -> Features:
        """What it can do; an engine on another machine cannot mount this one's paths."""
        return Features(bind_mounts=self._engine.info.shares_host)

    def check(self) -> None:
        """Raise `RuntimeUnavailableError` if the engine runs no Linux containers, or there is none."""
        if not self._engine.info.runs_environments:
            raise RuntimeUnavailableError(
                "no container engine is running here: a virtual machine can be had without one, a container cannot",
                hint='start or install one: devbox doctor --fix; or set runtime = "vm" in devbox.toml',
            )
        if self._engine.info.os not in ("linux", ""):
            raise RuntimeUnavailableError(
                f"the engine at {self._engine.info.url} runs {self._engine.info.os} containers, not Linux ones",
                hint="switch it to Linux containers",
            )

    def create(self, spec: InstanceSpec) -> Instance:
        """Make an Instance, stopped, or return the one of this name that has the same spec digest.

        Raises `RuntimeUnavailableError` for a share on an engine that does not see this host's files.
        """
        existing = self.find(spec.name)
        if existing is not None:
            if existing.spec_digest != spec.digest:
                raise ValueError(f"{spec.name} exists and was made from another spec")
            return existing
        check_sources(spec.shares)
        self._require_shared(spec)
        layered = None if spec.agent.directory else layered_image(self._engine, spec)
        deliver(spec.agent, self._engine)
        container = self._created(spec, layered)
        info = self._engine.container(container)
        if info is None:
            raise EngineError(f"the container {spec.name} was gone as soon as it was made", hint="run: devbox up")
        return ContainerInstance(self._engine, info)

    def _created(self, spec: InstanceSpec, layered: str | None) -> str:
        try:
            return self._engine.create(container_request(spec, layered=layered))
        except EngineError as error:
            unseen = (place for place in (spec.agent.program, spec.agent.directory) if place in (error.detail or ""))
            place = next(unseen, "") if spec.agent.directory else ""
            if not place:
                raise
            raise AgentError(
                f"the engine does not see {place}, from where the agent gets into the environment",
                detail=error.detail,
                hint="set XDG_STATE_HOME to a directory that the engine's machine has at the same path",
            ) from error

    def _require_shared(self, spec: InstanceSpec) -> None:
        apart = [share for share in spec.shares if not share.file]
        if apart and not self.features.bind_mounts:
            raise unshared(self._engine.info.url, apart[0].source)

    def find(self, name: str) -> Instance | None:
        """Return the Instance of this name; None if absent."""
        info = self._engine.container(name)
        # The engine finds by id as well, which is not what is asked for.
        if info is None or info.name != name:
            return None
        return ContainerInstance(self._engine, info)

    def instances(self, labels: Mapping[str, str]) -> list[Instance]:
        """Return the Instances that carry all `labels` (empty value: any value)."""
        return [ContainerInstance(self._engine, info) for info in self._engine.containers(labels)]


def unshared(url: str, source: str, *, hint: str = "") -> RuntimeUnavailableError:
    """Return the refusal of a bind mount on an engine that runs elsewhere (bad input 37)."""
    return RuntimeUnavailableError(
        f"the engine at {url} runs on another machine and does not see {source}, so it cannot be mounted there",
        hint=hint or "use an engine on this machine: unset DOCKER_HOST, or run: docker context use default",
    )
