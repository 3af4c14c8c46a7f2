"""The command line over two worlds: in this process with an engine in memory, and as a command on the real engine."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from devbox.cli.app import run
from devbox.engine.base import ContainerRequest, ExecRequest
from devbox.engine.discovery import connect
from devbox.errors import EngineUnavailableError
from devbox.process import HostProcesses
from devbox.reporter import Reporter, SilentReporter
from devbox.workspace.context import Host
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.fakes.processes import FakeProcesses
from tests.fakes.supervisor import FakeSupervisors
from tests.support.account import invoker
from tests.support.agent_spec import put_program
from tests.support.command import Devbox
from tests.support.images import TINY, tiny_image
from tests.support.project import project

PROFILE = f'name = "shop"\nuser.shell = "sh"\n[base]\nimage = "{TINY}"\n'


@dataclass(frozen=True, kw_only=True)
class Done:
    """How one command line ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The code of the error that was shown, in either form."""
        if self.stdout.startswith("{"):
            return str(self.document["error"]["code"])
        first = next(line for line in self.stderr.splitlines() if line.startswith("error["))
        return first.partition("[")[2].partition("]")[0]


class World(Protocol):
    """A project and a devbox to use in it."""

    directory: Path

    def __call__(self, *words: str) -> Done:
        """Run one command line without a terminal."""

    def write(self, text: str = PROFILE, name: str = "devbox.toml") -> Path:
        """Write a file of the project."""


def command(request: ContainerRequest, stdin: bytes) -> Outcome | None:
    """Be a container: one that waits, one that looks at what the image is, or a build step that succeeds."""
    if request.entrypoint or request.command[:1] == ("sleep",):  # the agent, or somebody's own
        return None
    looks = "os-release" in request.command[-1]
    return Outcome(stdout=b"ID=debian\nVERSION_ID=12\n\n/bin/tar\n") if looks else Outcome()


def guest(env: dict[str, str], request: ExecRequest, stdin: bytes) -> Outcome:
    """Be the few programs that the suite runs inside; `env` is the container's own."""
    line = request.argv[-1]
    if line.startswith("exit "):
        return Outcome(exit_code=int(line[5:]))
    if line == "echo out; echo err >&2":
        return Outcome(stdout=b"out\n", stderr=b"err\n")
    if line.startswith("echo $"):
        return Outcome(stdout=(env | dict(request.env)).get(line[6:], "").encode() + b"\n")
    return Outcome(exit_code=127, stderr=b"not found\n") if line == "no-such-program" else Outcome()


@dataclass
class FakeWorld:
    """In this process, on an engine in memory; `down` makes that engine unavailable."""

    directory: Path
    capture: pytest.CaptureFixture[str]
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(on_command=command))
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    supervisors: FakeSupervisors = field(default_factory=FakeSupervisors)
    down: bool = False

    def __post_init__(self) -> None:
        store = self.engine.container_store
        self.engine.on_exec = lambda box, request, stdin: guest(dict(store[box.id].env), request, stdin)

    def __call__(self, *words: str) -> Done:
        self.capture.readouterr()
        status = run(words, host_factory=self.host)
        stdout, stderr = self.capture.readouterr()
        return Done(status=status, stdout=stdout, stderr=stderr)

    def write(self, text: str = PROFILE, name: str = "devbox.toml") -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def host(self, reporter: Reporter, interactive: bool) -> Host:
        return Host(
            reporter=reporter,
            processes=self.processes,
            environ=dict(os.environ),
            cwd=self.directory,
            connect=self.connect,
            interactive=interactive,
            uid=os.getuid(),
            gid=os.getgid(),
            supervisors=self.supervisors,
        )

    def connect(self) -> FakeEngine:
        if self.down:
            raise EngineUnavailableError("no container engine is running here", hint="devbox doctor --fix")
        return self.engine


@dataclass
class RealWorld:
    """As a process of its own, on the real engine."""

    devbox: Devbox

    @property
    def directory(self) -> Path:
        return self.devbox.directory

    def __call__(self, *words: str) -> Done:
        done = self.devbox(*words, status=None)
        return Done(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def write(self, text: str = PROFILE, name: str = "devbox.toml") -> Path:
        path = self.directory / name
        path.write_text(text)
        return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> FakeWorld:
    """A project on an engine in memory, which has the tiny image."""
    for variable in [name for name in os.environ if name.startswith(("XDG_", "DEVBOX_", "DOCKER_"))]:
        monkeypatch.delenv(variable)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    directory = tmp_path / "a project"
    directory.mkdir()
    world = FakeWorld(directory, capfd)
    put_program()
    world.engine.add_image(TINY, env={"PATH": "/usr/bin:/bin"})
    return world


@pytest.fixture
def real() -> Iterator[RealWorld]:
    """A project on the real engine, which has the tiny image."""
    _have_tiny()
    with project(invoker()) as devbox:
        yield RealWorld(devbox)


def _have_tiny() -> None:
    reporter = SilentReporter()
    found = connect(os.environ, HostProcesses(reporter), reporter)
    try:
        tiny_image(found)
    finally:
        found.close()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.docker)])
def world(request: pytest.FixtureRequest) -> World:
    """Both worlds, one after the other: one suite holds for both."""
    found: World = request.getfixturevalue(request.param)
    return found
