"""A container of a FakeEngine."""

from dataclasses import dataclass, field, replace

from devbox.engine.base import ContainerInfo, ContainerRequest
from tests.fakes.agent import FakeAgent
from tests.fakes.engine_calls import CREATED


@dataclass(kw_only=True)
class FakeContainer:
    """A container: what it was made from, and what has become of it."""

    id: str
    name: str
    image: str
    request: ContainerRequest
    labels: dict[str, str]
    env: tuple[tuple[str, str], ...]
    status: str = "created"
    exit_code: int = 0
    oom_killed: bool = False
    stdin: bytes = b""
    agent: FakeAgent | None = None  # while it runs
    output: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def seen(self) -> ContainerInfo:
        """What the engine says of it."""
        return ContainerInfo(
            id=self.id,
            name=self.name,
            image=self.image,
            status=self.status,
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
            labels=dict(self.labels),
            mounts=tuple(replace(mount, labels=()) for mount in self.request.mounts),
            created=CREATED,
        )

    def source(self, target: str) -> str | None:
        """Return what is mounted at `target`."""
        return next((mount.source for mount in self.request.mounts if mount.target == target), None)

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.stop()
            self.agent = None
