"""The command line over two worlds: in this process with an engine in memory, and as a command on the real engine."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from devbox.cli.app import run
from devbox.engine.base import ContainerInfo, ExecRequest
from devbox.engine.discovery import connect
from devbox.errors import EngineUnavailableError
from devbox.process import HostProcesses
from devbox.reporter import Reporter, SilentReporter
from devbox.workspace.context import Host
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.fakes.processes import FakeProcesses
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.images import TINY, tiny_image
from tests.support.project import project

PROFILE = f'name = "shop"\n[base]\nimage = "{TINY}"\n'


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


def guest(container: ContainerInfo, request: ExecRequest, stdin: bytes) -> Outcome:
    """Be the few programs that the suite runs inside."""
    words = request.argv
    line = words[-1]
    if line.startswith("exit "):
        return Outcome(exit_code=int(line[5:]))
    if line == "echo out; echo err >&2":
        return Outcome(stdout=b"out\n", stderr=b"err\n")
    if words[-2:-1] == ("printenv",):
        value = dict(request.env).get(line)
        return Outcome(stdout=value.encode() + b"\n") if value is not None else Outcome(exit_code=1)
    if line == "no-such-program":
        return Outcome(exit_code=127, stderr=b"not found\n")
    if line == "cat":
        return Outcome(stdout=stdin)
    return Outcome()


@dataclass
class FakeWorld:
    """In this process, on an engine in memory; `down` makes that engine unavailable."""

    directory: Path
    capture: pytest.CaptureFixture[str]
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(on_exec=guest))
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    down: bool = False

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
