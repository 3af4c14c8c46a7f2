"""One contract, every runtime: the fake, and the container runtime on the real engine."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from devbox.engine.base import Engine
from devbox.runtimes.base import AgentSpec, ExecSpec, Granted, Instance, InstanceSpec, Runtime, Share
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.values import GuestUser
from tests.fakes.runtime import FakeRuntime
from tests.support.agent_spec import fake_agent, real_agent
from tests.support.engine import labels, unique
from tests.support.images import tiny_image

ROOT = GuestUser(name="root", uid=0, gid=0, home="/root")


@dataclass
class Bench:
    """A runtime, a directory to share, and a spec of its own."""

    runtime: Runtime
    spec: InstanceSpec
    made: list[Instance] = field(default_factory=list)

    def create(self, **changes: Any) -> Instance:
        instance = self.runtime.create(replace(self.spec, **changes))
        self.made.append(instance)
        return instance

    def running(self, **changes: Any) -> Instance:
        instance = self.create(**changes)
        instance.start()
        return instance


def exec_spec(*argv: str, **changes: Any) -> ExecSpec:
    return ExecSpec(**{"argv": argv, "user": "0:0", "workdir": "/", **changes})


def run(instance: Instance, *argv: str, stdin: bytes = b"", **changes: Any) -> tuple[int, bytes, bytes]:
    """Run a process to its end; return exit code, stdout and stderr."""
    session = instance.exec(exec_spec(*argv, **changes))
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


def _spec(image: str, directory: Path, agent: AgentSpec) -> InstanceSpec:
    return InstanceSpec(
        name=unique("devbox-test"),
        image=image,
        hostname="test",
        user=ROOT,
        workdir="/work",
        agent=agent,
        shares=(Share(source=str(directory.resolve()), target="/work"),),
        labels=labels(),
        granted=Granted(host_paths=frozenset({str(directory.resolve())})),
    )


@pytest.fixture
def fake(tmp_path: Path) -> Bench:
    return Bench(FakeRuntime(), _spec("sha256:1", tmp_path, fake_agent()))


@pytest.fixture
def container(docker_engine: Engine, tmp_path: Path) -> Bench:
    return Bench(ContainerRuntime(docker_engine), _spec(tiny_image(docker_engine).id, tmp_path, real_agent()))


@pytest.fixture(params=["fake", pytest.param("container", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    found: Bench = request.getfixturevalue(request.param)
    yield found
    for instance in found.made:
        instance.remove()
