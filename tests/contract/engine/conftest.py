"""One contract, every engine: the fake, Docker, and Podman's service where it is installed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from devbox.engine.base import ContainerInfo, ContainerRequest, Engine, ExecRequest, ImageInfo
from devbox.engine.lean import LeanEngine
from devbox.engine.sdk import SdkEngine
from devbox.reporter import SilentReporter
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.support.engine import labels, sweep, unique
from tests.support.images import tiny_image

Result = Outcome | Callable[[bytes], Outcome]


@dataclass
class Bench:
    """An engine, the tiny image on it, and what the fake has to know about the scripts of a test."""

    engine: Engine
    image: ImageInfo
    name: str
    scripts: dict[str, Result] = field(default_factory=dict)

    def sh(self, script: str, result: Result = Outcome()) -> tuple[str, str, str]:  # noqa: B008 (frozen)
        """Return the command for `script`; `result` is what it does, for an engine that runs nothing."""
        self.scripts[script] = result
        return ("/bin/sh", "-c", script)

    def request(self, command: tuple[str, ...] = ("sleep", "600"), **options: Any) -> ContainerRequest:
        options.setdefault("labels", (*labels(), ("devbox.name", self.name)))
        options.setdefault("env", self.image.env)
        return ContainerRequest(**{"name": None, "image": self.image.id, "command": command, **options})

    @contextmanager
    def container(
        self, command: tuple[str, ...] = ("sleep", "600"), *, start: bool = True, **options: Any
    ) -> Iterator[str]:
        found = self.engine.create(self.request(command, **options))
        try:
            if start:
                self.engine.start(found)
            yield found
        finally:
            self.engine.remove(found)

    def exec(
        self, container: str, argv: tuple[str, ...], *, stdin: bytes = b"", **options: Any
    ) -> tuple[int, bytes, bytes]:
        """Run a process to its end; return exit code, stdout and stderr."""
        request = ExecRequest(**{"argv": argv, "user": "0:0", "stdin": bool(stdin), **options})
        session = self.engine.exec(container, request)
        try:
            if stdin:
                session.send(stdin)
                session.close_stdin()
            found = {1: b"", 2: b""}
            while (frame := session.receive()) is not None:
                found[frame[0]] += frame[1]
            return session.exit_code(), found[1], found[2]
        finally:
            session.close()

    def _result(self, argv: tuple[str, ...], stdin: bytes) -> Outcome | None:
        result = self.scripts.get(argv[-1])
        return result(stdin) if callable(result) else result

    def on_command(self, request: ContainerRequest, stdin: bytes) -> Outcome | None:
        return None if request.command[0] == "sleep" else self._result(request.command, stdin)

    def on_exec(self, container: ContainerInfo, request: ExecRequest, stdin: bytes) -> Outcome:
        return self._result(request.argv, stdin) or Outcome()


def _real(request: pytest.FixtureRequest, fixture: str) -> Iterator[Bench]:
    full = request.getfixturevalue(fixture.removeprefix("lean_"))
    engine = _lean(full) if fixture.startswith("lean_") else full
    name = unique()
    yield Bench(engine, tiny_image(engine), name)
    sweep(engine, {"devbox.name": name})


@pytest.fixture(
    params=[
        "fake",
        pytest.param("docker_engine", marks=pytest.mark.docker),
        pytest.param("lean_docker_engine", marks=pytest.mark.docker),
        pytest.param("podman_engine", marks=pytest.mark.podman),
    ],
    ids=["fake", "docker", "lean", "podman"],
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _fake() if request.param == "fake" else _real(request, request.param)


def _lean(full: SdkEngine) -> Engine:
    """Return the same engine by its bare socket, `full` behind it."""
    lean = LeanEngine(full.endpoint, SilentReporter(), full=lambda: full)
    assert lean.look()
    return lean


def _fake() -> Iterator[Bench]:
    engine = FakeEngine()
    found = Bench(engine, tiny_image(engine), unique())
    engine.on_command, engine.on_exec = found.on_command, found.on_exec
    yield found
