"""What devbox asks of an engine, in values of its own; every engine, the tests' fake included, keeps this contract.

Contract for all methods: what is asked for and absent is None, an empty list or a no-op, never an error;
removal is idempotent; an engine's refusal is `EngineError` with its words in `detail`; an engine that has
stopped answering is `EngineUnavailableError`; every request that creates something passes `engine.policy` first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

Labels = Mapping[str, str]


class MountKind(Enum):
    """The kinds of mount that devbox makes; the values are the Engine API's."""

    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount. `source`: an existing host path (bind), a volume's name, or empty (tmpfs)."""

    kind: MountKind
    source: str
    target: str
    read_only: bool = False
    labels: tuple[tuple[str, str], ...] = ()  # of a volume that the mount brings into being
    bare: bool = False  # such a volume does not get what the image has at the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What the user has agreed to beyond the policy's defaults; see `engine.policy`."""

    bind_sources: frozenset[str] = frozenset()  # real paths; what lies below one is allowed as well
    capabilities: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    gpus: bool = False
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """A container to be made. Sizes in bytes, `cpus` in cores; None leaves the engine's default.

    No port is published: the Supervisor relays them through the agent.
    """

    name: str | None
    image: str
    command: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    entrypoint: tuple[str, ...] = ()  # empty: the image's own is switched off
    env: tuple[tuple[str, str], ...] = ()
    user: str = "0:0"
    workdir: str | None = None
    hostname: str | None = None
    mounts: tuple[Mount, ...] = ()
    capabilities: tuple[str, ...] = ()  # added after all have been dropped
    init: bool = False
    stdin: bool = False
    network: str | None = None  # None: the default bridge; "none"; "host" (needs the allowance)
    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    devices: tuple[str, ...] = ()
    gpus: bool = False
    allowance: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInfo:
    """What the engine says of a container. `status` is its word: created, running, paused, exited, dead ..."""

    id: str
    name: str
    image: str  # image id
    status: str
    exit_code: int
    oom_killed: bool
    labels: Labels
    mounts: tuple[Mount, ...]
    created: str  # RFC 3339
    pid: int = 0  # of its first process, as the engine's machine counts; 0 if it does not run

    @property
    def running(self) -> bool:
        """Whether its first process runs."""
        return self.status == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The configuration a committed image gets; nothing of the step container's own leaks into it."""

    env: tuple[tuple[str, str], ...]
    command: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    user: str = ""
    workdir: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What the engine says of an image."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]  # "name@sha256:..." as the registry knows it
    labels: Labels
    env: tuple[tuple[str, str], ...]
    workdir: str
    user: str
    architecture: str
    size: int
    created: str
    layers: tuple[str, ...]  # diff ids, the base's first
    volumes: tuple[str, ...] = ()  # paths that the image declares as volumes
    parent: str = ""  # id of the image that it was made from, where the engine knows


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """What the engine says of a volume."""

    name: str
    labels: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine is.

    `shares_host`: paths of this host can be bind-mounted (same kernel and file system). `shares_root`: all of them,
    and not those alone that are mounted at the same place for both: we are not in a container with its socket.
    """

    name: str  # "docker", "podman"
    version: str
    api_version: str
    url: str  # as a person would set DOCKER_HOST
    source: str  # why this engine: "DOCKER_HOST", "context foo", "default socket", "podman service"
    os: str
    architecture: str
    cpus: int
    memory: int
    rootless: bool
    shares_host: bool
    shares_root: bool = True
    runs_environments: bool = True  # False: it makes images, and nothing but a machine can be made of them


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """A process to be started in a running container. `rows` and `columns` matter with a terminal alone."""

    argv: tuple[str, ...]
    user: str
    workdir: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    terminal: bool = False
    stdin: bool = False
    rows: int = 24
    columns: int = 80


class Stream(Protocol):
    """The two-way byte stream of a process inside."""

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end. With a terminal all is 1."""

    def send(self, data: bytes) -> None:
        """Send all of `data` to the process's stdin; a process that has gone makes it a no-op."""

    def close_stdin(self) -> None:
        """Let the process read end-of-file."""

    def close(self) -> None:
        """Leave the stream; the process goes on."""


class ExecSession(Stream, Protocol):
    """A process started by `Engine.exec`."""

    def resize(self, rows: int, columns: int) -> None:
        """Tell the process's terminal its size; no-op without one."""

    def exit_code(self) -> int:
        """Wait for the end and return the exit code (128+n for signal n)."""


class Engine(Protocol):
    """A program that runs containers."""

    @property
    def info(self) -> EngineInfo:
        """What this engine is."""

    def image(self, reference: str) -> ImageInfo | None:
        """Return the local image with this id, tag or digest."""

    def images(self, labels: Labels) -> list[ImageInfo]:
        """Return the local images, untagged ones included, that carry all `labels` (empty value: any value)."""

    def pull(self, reference: str) -> Iterator[str]:
        """Pull `reference`, yielding lines of progress.

        A registry that does not answer is `RegistryUnreachableError`; one that refuses is `EngineError`.
        """

    def build_classic(
        self, context: Iterable[bytes], *, dockerfile: str, target: str | None, tag: str, labels: Labels
    ) -> Iterator[str]:
        """Build a Dockerfile from a context tar with the engine's classic builder, yielding its lines.

        `EngineError` with the builder's words if it fails.
        """

    def load(self, archive: Iterable[bytes]) -> None:
        """Load a docker-archive tar stream."""

    def tag(self, image_id: str, reference: str) -> None:
        """Give the image the name `reference` ("repository:tag"), taking it from any other."""

    def remove_image(self, reference: str, *, force: bool = False) -> None:
        """Remove a tag, or an image by id; `EngineError` if a container uses it and not `force`."""

    def commit(self, container_id: str, *, config: ImageConfig, message: str, reference: str | None = None) -> str:
        """Make an image of the container's file system with exactly `config`; return its id."""

    def create(self, request: ContainerRequest) -> str:
        """Make a container, stopped; return its id. `PolicyError` before anything is sent."""

    def start(self, container_id: str) -> None:
        """Start it; no-op if it runs."""

    def stop(self, container_id: str, *, timeout: int = 10) -> None:
        """Stop it, by SIGTERM and after `timeout` seconds by SIGKILL; no-op if it does not run."""

    def kill(self, container_id: str) -> None:
        """End it by SIGKILL and return when it has ended; no-op if it does not run, or is not there."""

    def rename(self, container_id: str, name: str) -> None:
        """Give it another name; no-op if it is not there."""

    def wait(self, container_id: str) -> int:
        """Wait for its end and return the exit code."""

    def remove(self, container_id: str) -> None:
        """Remove it, running or not, with its anonymous volumes."""

    def container(self, name_or_id: str) -> ContainerInfo | None:
        """Return one container."""

    def containers(self, labels: Labels) -> list[ContainerInfo]:
        """Return the containers, stopped ones included, that carry all `labels` (empty value: any value)."""

    def export(self, container_id: str) -> Iterator[bytes]:
        """Yield its file system, volumes left out, as a tar stream; a container that never ran has its image's."""

    def logs(self, container_id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what the first process wrote: `(1 stdout | 2 stderr, bytes)`."""

    def attach(self, container_id: str) -> Stream:
        """Attach to a created container's stdin, stdout and stderr; to be called before `start`."""

    def exec(self, container_id: str, request: ExecRequest) -> ExecSession:
        """Start a process in a running container. `EngineError` if it does not run."""

    def volumes(self, labels: Labels) -> list[VolumeInfo]:
        """Return the volumes that carry all `labels` (empty value: any value)."""

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; False if a container uses it."""

    def networks(self, labels: Labels) -> list[str]:
        """Return the names of the networks that carry all `labels`."""

    def make_network(self, name: str, labels: Labels) -> None:
        """Make a network that leads nowhere but to its members. There may be none of this name."""

    def join_network(self, name: str, container_id: str, names: Sequence[str]) -> None:
        """Have a container on it as well, found there by `names`; no-op if it is."""

    def remove_network(self, name: str) -> None:
        """Remove a network."""

    def close(self) -> None:
        """Give back connections."""
