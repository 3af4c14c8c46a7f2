"""Host and Workspace: what every verb is given."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from devbox import paths
from devbox.build.early import Early
from devbox.engine.base import Engine
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.supervisor.client import LocalSupervisors, Supervisors
from devbox.values import short_hash, slug, workspace_hash


@dataclass(frozen=True, kw_only=True)
class Host:
    """The world around a command, passed in so that tests can give another one."""

    reporter: Reporter
    processes: Processes
    environ: Mapping[str, str]
    cwd: Path
    connect: Callable[[], Engine]  # finds an engine; raises EngineUnavailableError
    interactive: bool  # somebody can be asked
    uid: int
    gid: int
    reachable: Callable[[], Sequence[Engine]] | None = None  # every engine that answers; None: only that of `connect`
    supervisors: Supervisors | None = None  # None: the processes of this user
    early: Early | None = None  # a container that stands ready for the first question about packages

    def engines(self) -> Sequence[Engine]:
        """Every engine in reach; raises `EngineUnavailableError` if none answers."""
        return (self.reachable() if self.reachable else ()) or [self.engine]

    @cached_property
    def engine(self) -> Engine:
        """The engine, found when first asked for."""
        return self.connect()

    @cached_property
    def cpus(self) -> int:
        """How many processors this host has, which runs virtual machines; 0 if nobody knows."""
        return os.cpu_count() or 0

    @cached_property
    def supervision(self) -> Supervisors:
        """The Supervisors of the user's Workspaces."""
        return self.supervisors or LocalSupervisors(self.processes)

    @cached_property
    def owner(self) -> str:
        """The value of the label `devbox.owner`: uid and a hash of the machine id."""
        return f"{self.uid}-{short_hash(_machine_id())}"


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A project directory by its real path, before its profile has been read; or one machine of several that it has."""

    directory: Path  # real path
    name: str  # the directory's own name, as it is
    machine: str = ""  # NAME of [machines.NAME]; empty: the profile itself

    @property
    def hash(self) -> str:
        """The 8 hex digits that name it everywhere."""
        return workspace_hash(str(self.directory), self.machine)

    @property
    def project_hash(self) -> str:
        """The same of the project, which all its machines have in common."""
        return workspace_hash(str(self.directory))

    @property
    def shown(self) -> str:
        """What it is called in what is said about it."""
        return f"{self.name}/{self.machine}" if self.machine else self.name

    @property
    def option(self) -> str:
        """What is typed behind a verb to mean this machine: "", or " -m NAME"."""
        return f" -m {self.machine}" if self.machine else ""

    @property
    def container_name(self) -> str:
        """The name of its Instance: `devbox-<slug>-<8 hex>`, and for one of several with its name in it."""
        return "-".join(filter(None, ("devbox", slug(self.name), self.machine, self.hash)))

    @property
    def image_repository(self) -> str:
        """The repository of its images: `devbox/<slug>`."""
        return f"devbox/{slug(self.name)}"

    @property
    def guest_directory(self) -> str:
        """Where the repo appears inside."""
        return f"/workspaces/{self.name}"

    @property
    def state_directory(self) -> str:
        """Where devbox keeps what it remembers of it."""
        return paths.workspace_state(self.hash)


def _machine_id() -> str:
    for name in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            text = Path(name).read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if text:
            return text
    import socket

    return socket.gethostname()
