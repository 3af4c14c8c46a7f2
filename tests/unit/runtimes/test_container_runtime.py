"""The container runtime over an engine in memory: what only an engine's faults bring out."""

import errno
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.agent import program, wire
from devbox.agent.client import StartError
from devbox.errors import (
    AgentError,
    CannotStartError,
    EngineError,
    PolicyError,
    ProfileError,
    RuntimeUnavailableError,
    StateError,
)
from devbox.paths import AGENT_SOCKET
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.runtimes.agent import explained
from devbox.runtimes.base import (
    AgentSpec,
    AgentState,
    ExecSpec,
    Granted,
    InstanceSpec,
    InstanceState,
    ResourceLimits,
    Share,
)
from devbox.runtimes.container.request import SOCKETS
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.runtimes.registry import runtime as by_name
from devbox.values import LABEL_RECIPE, LABEL_ROLE, LABEL_SCHEMA, GuestUser
from tests.fakes import agent_messages as says
from tests.fakes.engine import INFO, FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.support.agent_spec import fake_agent

LABELS = (("devbox.owner", "me"), (LABEL_ROLE, "environment"), (LABEL_SCHEMA, "1"))


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.add_image("built:1", labels={LABEL_RECIPE: "1"})
    return engine


def _runtime(engine: FakeEngine) -> ContainerRuntime:
    return ContainerRuntime(engine)


def _spec(**changes: object) -> InstanceSpec:
    root = GuestUser(name="root", uid=0, gid=0, home="/root")
    spec = InstanceSpec(
        name="devbox-x", image="built:1", hostname="x", user=root, workdir="/", agent=fake_agent(), labels=LABELS
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def _sharing(path: Path) -> InstanceSpec:
    return _spec(shares=(Share(source=str(path), target="/work"),), granted=Granted(host_paths=frozenset({str(path)})))


def test_an_unknown_runtime_is_refused_by_name(engine: FakeEngine) -> None:
    with pytest.raises(RuntimeUnavailableError, match="jail"):
        by_name("jail", engine=engine, processes=HostProcesses(SilentReporter()), reporter=SilentReporter())


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


def test_without_an_engine_a_container_is_refused_before_anything_is_built() -> None:
    with pytest.raises(RuntimeUnavailableError, match="no container engine is running here"):
        _runtime(FakeEngine(info=replace(INFO, runs_environments=False))).check()


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


def test_another_refusal_of_the_engine_stays_what_it_is(engine: FakeEngine) -> None:
    instance = _runtime(engine).create(_spec())
    engine.container_store.clear()
    with pytest.raises(EngineError):
        instance.start()


def test_an_image_without_a_shell_is_an_environment_too(engine: FakeEngine) -> None:
    engine.add_image("scratch:1")
    instance = _runtime(engine).create(_spec(image="scratch:1"))
    instance.start()
    assert instance.agent_state() is AgentState.ANSWERS
    assert engine.exec_requests == []


def test_a_container_that_ends_at_once_says_its_last_words(engine: FakeEngine) -> None:
    instance = _runtime(engine).create(_spec())
    engine.on_command = lambda request, stdin: Outcome(exit_code=3, stderr=b"agent: /run/devbox is not root's\n")
    with pytest.raises(AgentError, match="ended as soon as it was started, with exit code 3") as caught:
        instance.start()
    assert caught.value.detail == "agent: /run/devbox is not root's"


def test_an_agent_that_the_engine_cannot_start_is_one_error(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(container: str) -> None:
        raise EngineError("no", detail='exec: "/run/devbox/agent": permission denied: unknown')

    instance = _runtime(engine).create(_spec())
    monkeypatch.setattr(engine, "start", refuse)
    with pytest.raises(AgentError, match="cannot be started") as caught:
        instance.start()
    assert "noexec" in str(caught.value.hint)


def test_an_engine_that_does_not_see_where_the_agent_lies_is_told_apart(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _spec()

    def refuse(request: object) -> str:
        raise EngineError("no", detail=f"bind source path does not exist: {spec.agent.directory}")

    monkeypatch.setattr(engine, "create", refuse)
    with pytest.raises(AgentError, match="the engine does not see") as caught:
        _runtime(engine).create(spec)
    assert "XDG_STATE_HOME" in str(caught.value.hint)


def test_the_agents_directory_is_the_users_alone_each_time_it_is_started(engine: FakeEngine) -> None:
    spec = _spec()
    instance = _runtime(engine).create(spec)
    directory = Path(spec.agent.directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    directory.chmod(0o755)
    instance.start()
    assert directory.stat().st_mode & 0o777 == 0o700


class _Noting(FakeEngine):
    """An engine that notes whether there is a socket at the moment that it starts a container."""

    def start(self, container_id: str) -> None:
        self.socket_was_there = Path(self._box(container_id).source(SOCKETS) or "", AGENT_SOCKET).exists()
        super().start(container_id)


def test_whoever_listens_for_the_container_of_before_is_not_asked_for_the_new_ones_agent() -> None:
    engine, spec = _Noting(), _spec()
    engine.add_image("built:1", labels={LABEL_RECIPE: "1"})
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{spec.agent.directory}/{AGENT_SOCKET}")
        stale.listen()
        instance = _runtime(engine).create(spec)
        instance.start()
    assert not engine.socket_was_there
    assert instance.agent_state() is AgentState.ANSWERS


def test_a_link_in_place_of_the_agents_directory_stops_the_start(engine: FakeEngine, tmp_path: Path) -> None:
    spec = _spec()
    instance = _runtime(engine).create(spec)
    Path(spec.agent.directory).rmdir()
    Path(spec.agent.directory).symlink_to(tmp_path)
    with pytest.raises(StateError, match="not a directory of yours"):
        instance.start()


def test_an_agent_that_takes_nobody_in_is_alive_and_left_alone(engine: FakeEngine) -> None:
    """To start it again would end all that it is busy with."""
    instance = _runtime(engine).create(_spec())
    instance.start()
    box = engine.container_store[instance.id]
    assert box.agent is not None
    box.agent.stop()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(box.agent.path)
        door.listen()
        thread = threading.Thread(target=_turn_away, args=(door, 2))
        thread.start()
        assert instance.agent_state() is AgentState.ANSWERS
        with pytest.raises(AgentError, match="takes nobody in") as caught:
            instance.exec(ExecSpec(argv=("true",), user="0:0", workdir="/"))
        thread.join()
    assert "devbox up" not in (caught.value.hint or "")


def _turn_away(door: socket.socket, clients: int) -> None:
    for _ in range(clients):
        connection, _ = door.accept()
        with connection:
            connection.sendall(says.error("too many connections"))


def test_a_silent_agent_is_started_again(engine: FakeEngine) -> None:
    instance = _runtime(engine).create(_spec())
    instance.start()
    box = engine.container_store[instance.id]
    assert box.agent is not None
    box.agent.stop()
    assert instance.agent_state() is AgentState.SILENT
    instance.start()
    assert instance.agent_state() is AgentState.ANSWERS
    assert len(engine.calls_of("start")) == 2


@pytest.mark.parametrize(
    ("stage", "number", "status", "said"),
    [
        (wire.STAGE_EXEC, errno.ENOENT, 127, "x: not found inside"),
        (wire.STAGE_EXEC, errno.EACCES, 126, "x cannot be run: permission denied"),
        (wire.STAGE_CWD, errno.ENOENT, 126, "the working directory /nope does not exist"),
        (wire.STAGE_CWD, errno.EACCES, 126, "the working directory /nope cannot be entered: permission denied"),
        (wire.STAGE_USER, errno.ENOENT, 126, "there is no user 'me' inside"),
        (wire.STAGE_RESOURCES, errno.EAGAIN, 126, "x cannot be started: resource temporarily unavailable"),
    ],
)
def test_why_nothing_was_started_is_said_in_words(stage: int, number: int, status: int, said: str) -> None:
    spec = ExecSpec(argv=("x",), user="me", workdir="/nope")
    with pytest.raises(CannotStartError) as caught, explained("box", spec):
        raise StartError(number, stage, "text")
    assert (caught.value.message, caught.value.status) == (said, status)


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


def test_where_nothing_can_be_mounted_the_agent_is_a_layer_that_is_no_step_and_made_once() -> None:
    engine = FakeEngine(info=replace(INFO, shares_host=False))
    base = engine.add_image("built:1", labels={LABEL_RECIPE: "1", "maker": "somebody"})
    spec = _spec(image=base.id, agent=AgentSpec(build=program.build_id(), protocol=wire.VERSION))
    instance = _runtime(engine).create(spec)
    assert instance.image == base.id
    (layered,) = [image for image in engine.image_store.values() if image.id != base.id]
    assert engine.requests[0].image == layered.id
    labels = layered.labels
    assert (labels[LABEL_ROLE], labels[LABEL_RECIPE], labels["devbox.owner"]) == ("agent", "", "me")
    instance.remove()
    _runtime(engine).create(spec)
    assert len(engine.calls_of("build_classic")) == 1
