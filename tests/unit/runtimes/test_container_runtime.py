"""The container runtime over an engine in memory: what only an engine's faults bring out."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import (
    BaseImageError,
    EngineError,
    PolicyError,
    PortTakenError,
    ProfileError,
    RuntimeUnavailableError,
)
from devbox.runtimes.base import Granted, InstanceSpec, InstanceState, PortSpec, ResourceLimits, Share
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.runtimes.registry import runtime as by_name
from devbox.values import LABEL_RECIPE, LABEL_ROLE, LABEL_SCHEMA, GuestUser
from tests.fakes.engine import INFO, FakeEngine
from tests.fakes.engine_streams import Outcome

LABELS = (("devbox.owner", "me"), (LABEL_ROLE, "environment"), (LABEL_SCHEMA, "1"))


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.add_image("built:1", labels={LABEL_RECIPE: "1"})
    return engine


def _runtime(engine: FakeEngine) -> ContainerRuntime:
    return ContainerRuntime(engine, probe=lambda address, port, protocol: port or 50000)


def _spec(**changes: object) -> InstanceSpec:
    root = GuestUser(name="root", uid=0, gid=0, home="/root")
    spec = InstanceSpec(name="devbox-x", image="built:1", hostname="x", user=root, workdir="/", labels=LABELS)
    return replace(spec, **changes)  # type: ignore[arg-type]


def _sharing(path: Path) -> InstanceSpec:
    return _spec(shares=(Share(source=str(path), target="/work"),), granted=Granted(host_paths=frozenset({str(path)})))


def test_an_unknown_runtime_is_refused_by_name(engine: FakeEngine) -> None:
    with pytest.raises(RuntimeUnavailableError, match="vm"):
        by_name("vm", engine=engine)


def test_an_engine_elsewhere_cannot_mount_and_says_why(tmp_path: Path) -> None:
    engine = FakeEngine(info=replace(INFO, shares_host=False, url="tcp://far:2376"))
    engine.add_image("built:1")
    assert not _runtime(engine).features.bind_mounts
    with pytest.raises(RuntimeUnavailableError, match=r"tcp://far:2376 runs on another machine"):
        _runtime(engine).create(_sharing(tmp_path))
    assert engine.calls_of("create") == []


def test_an_engine_of_another_kind_is_refused() -> None:
    with pytest.raises(RuntimeUnavailableError, match="windows"):
        _runtime(FakeEngine(info=replace(INFO, os="windows"))).check()


def test_a_shared_path_that_is_gone_is_named_before_anything_is_made(engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="does not exist"):
        _runtime(engine).create(_sharing(tmp_path / "gone"))
    assert engine.calls_of("create") == []


def test_a_link_in_place_of_a_shared_path_stops_the_start(engine: FakeEngine, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    instance = _runtime(engine).create(_sharing(shared))
    shared.rmdir()
    shared.symlink_to(tmp_path)
    with pytest.raises(PolicyError, match="is now a link"):
        instance.start()
    assert engine.calls_of("start") == []


def test_what_was_not_granted_is_not_mounted(engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        _runtime(engine).create(replace(_sharing(tmp_path), granted=Granted()))


def test_a_port_that_is_taken_at_the_last_moment_is_told_apart_and_not_given_again(engine: FakeEngine) -> None:
    runtime = _runtime(engine)
    engine.taken_ports.add(("127.0.0.1", 8000))
    instance = runtime.create(_spec(ports=(PortSpec(name="web", guest=80, host=8000),)))
    with pytest.raises(PortTakenError, match=r"web \(8000\)"):
        instance.start()
    instance.remove()
    again = runtime.create(_spec(ports=(PortSpec(name="web", guest=80, host=8000),)))
    again.start()
    assert [port.host_port for port in again.ports] == [8001]


def test_another_refusal_of_the_engine_stays_what_it_is(engine: FakeEngine) -> None:
    instance = _runtime(engine).create(_spec())
    engine.container_store.clear()
    with pytest.raises(EngineError) as caught:
        instance.start()
    assert not isinstance(caught.value, PortTakenError)


def test_a_foreign_image_without_a_shell_is_refused_by_name(engine: FakeEngine) -> None:
    engine.add_image("scratch:1")
    engine.on_exec = lambda box, request, stdin: Outcome(exit_code=127)
    with pytest.raises(BaseImageError, match=r"scratch:1 has no shell"):
        _runtime(engine).create(_spec(image="scratch:1")).start()


def test_a_built_image_is_not_asked_for_its_shell_again(engine: FakeEngine) -> None:
    _runtime(engine).create(_spec()).start()
    assert engine.exec_requests == []


def test_an_instance_that_was_killed_for_memory_says_so_with_its_limit(engine: FakeEngine) -> None:
    runtime = _runtime(engine)
    runtime.create(_spec(resources=ResourceLimits(memory=512 * 1024**2))).start()
    engine.on_command = lambda request, stdin: Outcome(exit_code=137, oom_killed=True)
    found = runtime.find("devbox-x")
    assert found is not None
    assert (found.state, found.problem) == (InstanceState.STOPPED, "killed for memory, limit 512.0 MiB")


@pytest.mark.parametrize(
    ("status", "code", "state", "problem"),
    [
        ("exited", 0, InstanceState.STOPPED, None),
        ("exited", 143, InstanceState.STOPPED, None),
        ("exited", 1, InstanceState.STOPPED, "ended by itself with exit code 1"),
        ("dead", 0, InstanceState.BROKEN, "the engine calls it dead"),
        ("paused", 0, InstanceState.BROKEN, "the engine calls it paused"),
    ],
)
def test_every_state_of_the_engine_has_a_word(
    engine: FakeEngine, status: str, code: int, state: InstanceState, problem: str | None
) -> None:
    runtime = _runtime(engine)
    box = engine.container_store[runtime.create(_spec()).id]
    box.status, box.exit_code = status, code
    found = runtime.find("devbox-x")
    assert found is not None
    assert (found.state, found.problem) == (state, problem)


def test_an_id_is_not_a_name(engine: FakeEngine) -> None:
    runtime = _runtime(engine)
    assert runtime.find(runtime.create(_spec()).id) is None
