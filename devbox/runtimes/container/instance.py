"""An Instance of the runtime `container`: one container."""

import os
from collections.abc import Iterator, Mapping

from devbox.agent.transport import Transport
from devbox.engine.base import ContainerInfo, Engine, MountKind
from devbox.errors import AgentError, EngineError
from devbox.runtimes.base import AgentState, InstanceState, Share
from devbox.runtimes.container import agent
from devbox.runtimes.container.delivery import deliver
from devbox.runtimes.container.request import AGENT, LABEL_MEMORY, SOCKETS
from devbox.runtimes.container.sources import check_sources
from devbox.runtimes.inside import Inside
from devbox.values import LABEL_IMAGE, LABEL_SPEC, format_size

_ENDED_BY_STOP = (0, 137, 143)
_UNHEARD = 2  # seconds that a container whose agent does not answer is given to stop


class ContainerInstance(Inside):
    """One container, as it was when it was looked up."""

    def __init__(self, engine: Engine, info: ContainerInfo) -> None:
        self._engine = engine
        self._info = info

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
        return self._info.labels.get(LABEL_IMAGE) or self._info.image

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
            if mount.kind is MountKind.BIND and mount.target not in (AGENT, SOCKETS)
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

    def start(self) -> None:
        """Start it and wait until its agent answers; no-op if it does. One with a silent agent is started again.

        Raises `ProfileError` if a shared host path is gone (S-16), `AgentError` if its agent does not come up.
        """
        if self._info.running:
            if self.agent_state() is AgentState.ANSWERS:
                return
            self.stop(timeout=_UNHEARD)
        check_sources(self.shares)
        deliver(agent.agent_of(self._info), self._engine)
        agent.clear_socket(self._info)
        try:
            self._engine.start(self.id)
        except EngineError as error:
            raise self._explained(error) from error
        self._info = self._engine.container(self.id) or self._info
        agent.await_agent(self._engine, self._info)

    def _explained(self, error: EngineError) -> EngineError | AgentError:
        if AGENT not in f"{error.message} {error.detail or ''}".lower():
            return error
        return AgentError(
            f"the agent cannot be started in {self.name}",
            detail=error.detail,
            hint="let XDG_STATE_HOME be on a file system of the engine's machine, and without noexec",
        )

    def stop(self, *, timeout: int = 10) -> None:
        """Stop it within about `timeout` seconds; no-op if it does not run."""
        self._engine.stop(self.id, timeout=timeout)
        self._info = self._engine.container(self.id) or self._info

    @property
    def snapshots(self) -> None:
        """Nothing of it can be kept under a name."""

    def grow(self, size: int | None) -> bool:  # noqa: ARG002
        """Do nothing: its files are on the engine's disk."""
        return False

    @property
    def saved(self) -> None:
        """None: its memory is the host's."""
        return

    def save(self) -> None:
        """Refuse it: nothing that runs in a container can be kept."""
        raise EngineError(f"{self.name} is a container, and what runs in it cannot be saved")

    def release_name(self) -> None:
        """Have another name, so that one that takes its place can be made."""
        self._engine.rename(self.id, f"{self.name}-{self.id[:12]}")

    def watch(self) -> int | None:
        """Return a descriptor that can be read as soon as nothing runs in it; None where that cannot be seen.

        The kernel has ended all other processes of a container when its first one is gone. An engine says so later,
        when it has taken the network down.
        """
        engine = self._engine.info
        if not (self._info.pid and engine.shares_host and engine.shares_root) or engine.rootless:
            return None
        try:
            return os.pidfd_open(self._info.pid)
        except (AttributeError, OSError):  # no Linux, or no such process any more
            return None

    def kill(self) -> None:
        """End it at once; no-op if it does not run."""
        self._engine.kill(self.id)

    def remove(self) -> None:
        """Remove it, running or not; volumes stay."""
        self._engine.remove(self.id)

    def agent_state(self) -> AgentState:
        """Return how its agent answers, now and without starting anything."""
        return agent.state(self._engine, self._info)

    def connect(self) -> Transport:
        """Open a connection to its agent; `EngineError` if it does not run, `AgentError` if nobody answers."""
        return agent.connect(self._engine, self._info)

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what its first process wrote."""
        return self._engine.logs(self.id, follow=follow, tail=tail)
