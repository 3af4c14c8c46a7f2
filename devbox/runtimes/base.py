"""Runtime, Instance and the values between them. Callers branch on `Features`, never on a runtime's name."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Protocol

from devbox.agent.protocol import GuestSession
from devbox.agent.transport import Transport
from devbox.errors import RuntimeUnavailableError
from devbox.runtimes.snapshots import Snapshots
from devbox.values import GuestUser


class InstanceState(Enum):
    """The states of the command-line contract, but `absent`, which is no Instance."""

    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"
    BROKEN = "broken"


class AgentState(Enum):
    """How the agent of a running Instance answers."""

    ANSWERS = "answers"
    SILENT = "does not answer"
    OTHER = "speaks another version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a runtime can do."""

    own_kernel: bool = False
    bind_mounts: bool = True
    snapshots: bool = False
    live_share: bool = False  # without bind mounts: the project itself can be seen inside all the same, if asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A host path that is seen inside. `file`: one that nothing inside writes to, so that a copy does as well."""

    source: str  # real path on the host
    target: str
    read_only: bool = False
    file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataVolume:
    """Storage that outlives the Instance. Its first content is what the Image has at `target`, or nothing (`bare`)."""

    name: str
    target: str
    labels: tuple[tuple[str, str], ...]
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """A port as it is: `host_port` answers on `host`."""

    name: str
    host: str
    host_port: int
    guest_port: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """Limits; memory in bytes, None leaves the runtime's default."""

    cpus: float | None = None
    memory: int | None = None
    pids: int = 4096
    devices: tuple[str, ...] = ()
    gpus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOptions:
    """What a virtual machine has beyond a container.

    `disk`: bytes that its root disk has at least, None leaves the default; see `Instance.grow`.
    `ready`: a new one may go on from where another of its image has booted to, and is kept for such.
    `base`: where the disk comes from that a system is on which devbox has not made, an absolute path or an address; the
    Image is the digest of its file then.
    `private`: its address among the machines of its project, as "198.19.1.2/16"; empty if it is the only one.
    """

    init: str = "full"  # how much of a system starts: full, trimmed, minimal
    ready: bool = True
    disk: int | None = None
    base: str | None = None
    private: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What the user agreed to (`devbox trust`); the runtime refuses whatever goes beyond."""

    host_paths: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    gpus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """The agent that an Instance lives by. Where host and Instance share no files, both paths are empty."""

    build: str  # 16 hex of what its program is made from
    protocol: int
    program: str = ""  # real path that its program is mounted from
    directory: str = ""  # real path of the Instance's own directory, which the socket is made in


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """All that an Instance is made from. Secrets are never in it."""

    name: str
    image: str  # image id
    hostname: str
    user: GuestUser
    workdir: str
    agent: AgentSpec
    env: tuple[tuple[str, str], ...] = ()
    shares: tuple[Share, ...] = ()
    volumes: tuple[DataVolume, ...] = ()
    resources: ResourceLimits = ResourceLimits()
    labels: tuple[tuple[str, str], ...] = ()
    granted: Granted = Granted()
    machine: MachineOptions | None = None  # None: it is a container

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex) of the spec but for its labels; the same digest means nothing to recreate."""
        values = asdict(self)
        del values["labels"]
        if self.machine is None:
            del values["machine"]  # so that the containers of a devbox that knew none stay good
        else:
            for name in ("base", "private"):
                if not values["machine"][name]:
                    del values["machine"][name]  # and its machines
            values["machine"]["disk"] = None  # it grows where it is
        text = json.dumps(values, sort_keys=True, default=sorted)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """A process to be started inside. `user` is a name or "uid:gid"; `detach`: it goes on by itself, with no stream."""

    argv: tuple[str, ...]
    user: str
    workdir: str
    env: tuple[tuple[str, str], ...] = ()
    terminal: bool = False
    stdin: bool = True
    detach: bool = False
    rows: int = 24
    columns: int = 80


class Session(Protocol):
    """A running process inside, as the host sees it. `receive` and `exit_code` raise `AgentLost` if it is cut off."""

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end."""

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin; a no-op when it has gone. Waits while the process does not read."""

    def close_stdin(self) -> None:
        """Let it read end-of-file."""

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the size."""

    def signal(self, number: int) -> None:
        """Send signal `number` to it and its children; a no-op when it has gone."""

    def exit_code(self) -> int:
        """Wait for its end and return its exit code (128+n as a shell has it)."""

    def close(self) -> None:
        """Leave it; a process that has not ended is ended by that. Idempotent."""


class Instance(Protocol):
    """One runnable thing of a Runtime."""

    @property
    def id(self) -> str:
        """The runtime's own identifier."""

    @property
    def name(self) -> str:
        """The name from the spec."""

    @property
    def image(self) -> str:
        """The id of the image it was made from."""

    @property
    def spec_digest(self) -> str:
        """`InstanceSpec.digest` of what it was made from; empty if it does not say."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """The host paths seen inside."""

    @property
    def state(self) -> InstanceState:
        """Its state when it was looked up."""

    @property
    def problem(self) -> str | None:
        """Why it does not run, in plain words, if it should ("killed for memory, limit 512 MiB")."""

    def start(self) -> None:
        """Start it and wait until its agent answers; no-op if it does. One with a silent agent is started again.

        Raises if a shared host path is gone (S-16).
        """

    def stop(self, *, timeout: int = 10) -> None:
        """Stop it within about `timeout` seconds; no-op if it does not run."""

    @property
    def saved(self) -> bool | None:
        """Whether what ran in it goes on when it is started; None if that cannot be kept at all."""

    def save(self) -> None:
        """Stop it, so that what runs in it goes on at the next `start`; no-op if it does not run.

        Whoever is connected is cut off. `MachineError` if it cannot be saved; then it goes on. Not to be called where
        `saved` is None.
        """

    @property
    def snapshots(self) -> Snapshots | None:
        """What was kept of it under a name, and can be again; None if that cannot be kept at all."""

    def grow(self, size: int | None) -> bool:
        """Have a root disk of at least `size` bytes, if it runs and has a disk of its own; whether it was smaller.

        None asks for nothing. Nothing inside is lost or ended by it. `MachineError`, `AgentError` if that cannot be.
        """

    def release_name(self) -> None:
        """Have another name, so that one that takes its place can be made; for one that is about to be removed."""

    def watch(self) -> int | None:
        """Return a descriptor that can be read as soon as nothing runs in it, to be closed by the caller.

        None where that cannot be seen from here.
        """

    def kill(self) -> None:
        """End it at once, without asking; no-op if it does not run. When this returns, nothing in it runs."""

    def remove(self) -> None:
        """Remove it, running or not; volumes stay."""

    def agent_state(self) -> AgentState:
        """Return how its agent answers, now and without starting anything."""

    def connect(self) -> Transport:
        """Open a connection to its agent, on which nothing has been said; `EngineError` if it does not run."""

    def exec(self, spec: ExecSpec) -> Session:
        """Start a process inside. `EngineError` if it does not run, `CannotStartError` if there is no such thing."""

    def own(self, directories: Sequence[str], user: GuestUser) -> None:
        """Give those directories inside that are root's to `user`: the places of mounts are made as root.

        No link is followed. `AgentError` if one cannot be given.
        """

    def sessions(self) -> tuple[GuestSession, ...]:
        """Return the processes that were started inside and have not ended."""

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what its first process wrote."""


class Runtime(Protocol):
    """A backend that runs Images."""

    @property
    def name(self) -> str:
        """Its name in a profile: container, vm."""

    @property
    def features(self) -> Features:
        """What it can do."""

    def check(self) -> None:
        """Raise `RuntimeUnavailableError` if it cannot be used here; installs nothing."""

    def create(self, spec: InstanceSpec) -> Instance:
        """Make an Instance, stopped, or return the one of this name that has the same spec digest.

        One of this name with another digest is the caller's mistake: `ValueError`.
        """

    def find(self, name: str) -> Instance | None:
        """Return the Instance of this name; None if absent, never an error."""

    def instances(self, labels: Mapping[str, str]) -> list[Instance]:
        """Return the Instances that carry all `labels` (empty value: any value)."""


def not_in_machine(source: str, *, hint: str = "") -> RuntimeUnavailableError:
    """Return the refusal of a mount of `source` in a machine, which has a file system of its own."""
    return RuntimeUnavailableError(
        f"a machine sees no directory of this host, so {source} cannot be mounted there",
        hint=hint or 'take the mount out, or write runtime = "container"',
    )
