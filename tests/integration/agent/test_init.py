"""The agent as process 1 of a real container: reaping, signals, the end, and what it does when things are scarce."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import hello
from devbox.engine.base import Engine
from devbox.errors import DevboxError
from devbox.runtimes.base import AgentState, Granted, Instance, InstanceSpec, ResourceLimits, Session, Share
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.values import GuestUser
from tests.contract.runtime.conftest import exec_spec, run
from tests.support.agent_spec import real_agent
from tests.support.engine import labels, unique
from tests.support.images import tiny_image
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

MIB = 1024 * 1024
AGENT_MOST = 2 * MIB  # bytes of memory of its own
GRACE = 5.0  # seconds that the agent leaves to what does not end by SIGTERM; the engine would leave 10 to the agent
ORDINARY = "4321:4321"

Start = Callable[..., Instance]


@pytest.fixture
def start(docker_engine: Engine, tmp_path: Path) -> Iterator[Start]:
    """Start an Instance with these limits; the test's directory is /shared in it."""
    made: list[Instance] = []
    directory = str(tmp_path.resolve())
    spec = InstanceSpec(
        name="",
        image=tiny_image(docker_engine).id,
        hostname="test",
        user=GuestUser(name="root", uid=0, gid=0, home="/root"),
        workdir="/",
        agent=real_agent(),
        shares=(Share(source=directory, target="/shared"),),
        labels=labels(),
        granted=Granted(host_paths=frozenset({directory})),
    )

    def begin(**limits: int) -> Instance:
        own = replace(spec, name=unique(), agent=real_agent(), resources=ResourceLimits(**limits))  # type: ignore[arg-type]
        made.append(ContainerRuntime(docker_engine).create(own))
        made[-1].start()
        return made[-1]

    yield begin
    for instance in made:
        instance.remove()


def begun(instance: Instance, script: str, *, user: str = "0:0") -> Session:
    """Start a shell script, and return when it has said that it is ready."""
    session = instance.exec(exec_spec("sh", "-c", script, user=user))
    assert words(session) == b"ready\n"
    return session


def words(session: Session) -> bytes:
    found = session.receive()
    assert found
    return found[1]


def processes(instance: Instance, state: str = "") -> list[str]:
    """Return the pids inside, but for the agent's and those of this very question; by their state if that is given."""
    script = 'cd /proc; for pid in [0-9]*; do [ "$pid" = $$ ] || grep -Hs "^State" $pid/status; done; true'
    said = run(instance, "sh", "-c", script)[1].decode()
    found = {line.split("/")[0]: line.split()[1] for line in said.splitlines()}
    return [pid for pid, now in found.items() if pid != "1" and now.startswith(state)]


def memory(instance: Instance, field: str = "VmRSS") -> int:
    """Return a size of the agent in bytes."""
    status = run(instance, "cat", "/proc/1/status")[1].decode()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) * 1024


def hold(instance: Instance, held: list[Session], count: int) -> None:
    """Start processes that stay; those before a failure are kept in `held`."""
    while len(held) < count:
        held.append(instance.exec(exec_spec("sleep", "600")))


def is_full(instance: Instance) -> bool:
    """Whether there is no room for one more process."""
    try:
        run(instance, "true")
    except DevboxError as error:
        return "resource temporarily unavailable" in str(error)
    return False


def timed_stop(instance: Instance) -> float:
    began = time.monotonic()
    instance.stop(timeout=30)
    return time.monotonic() - began


def exit_code(engine: Engine, instance: Instance) -> int:
    found = engine.container(instance.id)
    assert found
    assert not found.running
    return found.exit_code


def send(instance: Instance, signal: str) -> None:
    subprocess.run(["docker", "kill", "-s", signal, instance.id], check=True, capture_output=True)


def test_it_is_process_1_and_reaps_what_others_left(start: Start) -> None:
    instance = start()
    assert run(instance, "cat", "/proc/1/comm")[1] == b"agent\n"
    script = "n=0; while [ $n -lt 200 ]; do (sleep 0.$((n % 3)) &); n=$((n + 1)); done; ls /proc | grep -c '^[0-9]'"
    assert int(run(instance, "sh", "-c", script)[1]) > 3  # some of them had no parent but the agent
    until(lambda: not processes(instance))
    assert processes(instance, "Z") == []


def test_stop_lets_processes_end_by_themselves_and_is_quick(
    start: Start, docker_engine: Engine, tmp_path: Path
) -> None:
    instance = start()
    session = begun(
        instance, 'trap "sleep 0.5; echo TERM >/shared/said; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
    )
    daemon = 'trap "echo TERM >/shared/daemon; exit" TERM; echo ready >/shared/up; while :; do sleep 0.1; done'
    run(instance, "setsid", "sh", "-c", f"({daemon}) >/dev/null 2>&1 &")
    until((tmp_path / "up").exists)
    assert timed_stop(instance) < GRACE
    assert (tmp_path / "said").read_text() == (tmp_path / "daemon").read_text() == "TERM\n"
    assert exit_code(docker_engine, instance) == 0
    session.close()


def test_stop_hangs_up_the_shells_that_ignore_sigterm(start: Start, docker_engine: Engine) -> None:
    instance = start()
    shell = instance.exec(exec_spec("sh", "-i", terminal=True))
    shell.send(b"sleep 600 &\necho shell $((1 + 1))\n")
    seen = b""
    while b"shell 2" not in seen:
        seen += words(shell)
    assert timed_stop(instance) < GRACE
    assert exit_code(docker_engine, instance) == 0
    shell.close()


def test_stop_kills_what_does_not_hear_before_the_engine_kills_all(start: Start, docker_engine: Engine) -> None:
    instance = start()
    session = begun(instance, 'trap "" TERM HUP INT; echo ready; while :; do sleep 1; done')
    assert GRACE <= timed_stop(instance) < 2 * GRACE
    assert exit_code(docker_engine, instance) == 0
    session.close()


def test_an_interrupt_ends_it_too(start: Start, docker_engine: Engine) -> None:
    instance = start()
    send(instance, "INT")
    assert docker_engine.wait(instance.id) == 0


def test_other_signals_are_passed_on_to_what_was_started(start: Start) -> None:
    instance = start()
    names = ("HUP", "USR1", "USR2", "QUIT", "WINCH")
    traps = "; ".join(f'trap "echo {name}" {name}' for name in names)
    session = begun(instance, f"exec 2>/dev/null; {traps}; echo ready; while :; do sleep 0.05; done")
    for name in names:
        send(instance, name)
        assert words(session) == f"{name}\n".encode()
    session.close()
    assert instance.agent_state() is AgentState.ANSWERS


def test_signals_from_inside_do_not_end_it(start: Start) -> None:
    instance = start()
    for name in ("KILL", "STOP", "SEGV"):
        assert run(instance, "kill", f"-{name}", "1")[0] == 0
    assert run(instance, "kill", "-TERM", "1", user=ORDINARY)[0] == 1
    assert instance.agent_state() is AgentState.ANSWERS


def test_a_fork_bomb_leaves_it_answering_and_goes_with_its_client(start: Start) -> None:
    instance = start(pids=60)
    held = [instance.exec(exec_spec("sleep", "600")) for _ in range(8)]
    bomb = begun(instance, 'echo ready; yes "sleep 600 &" | sh -i >/dev/null 2>&1', user=ORDINARY)
    until(lambda: is_full(instance))
    for _ in range(20):
        assert len(instance.sessions()) == len(held) + 1
        assert instance.agent_state() is AgentState.ANSWERS
    bomb.close()
    until(lambda: len(instance.sessions()) == len(held))
    until(lambda: len(processes(instance)) == len(held))
    for session in held:
        session.close()


def test_where_no_process_can_be_made_it_says_so(start: Start) -> None:
    instance = start(pids=12)
    held: list[Session] = []
    with pytest.raises(DevboxError, match="resource temporarily unavailable"):
        hold(instance, held, 12)
    assert len(instance.sessions()) == len(held) >= 8
    held.pop().close()
    until(lambda: len(instance.sessions()) == len(held))
    assert run(instance, "echo", "there is room again")[0] == 0
    for session in held:
        session.close()


def test_who_takes_all_memory_is_killed_and_not_the_agent(start: Start, docker_engine: Engine) -> None:
    instance = start(memory=32 * MIB)
    status, said, _ = run(instance, "dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1")
    assert (status, said) == (137, b"")
    assert run(instance, "echo", "alive")[:2] == (0, b"alive\n")
    assert instance.agent_state() is AgentState.ANSWERS
    found = docker_engine.container(instance.id)
    assert found
    assert found.running


def spoil_users(instance: Instance, target: str) -> None:
    assert run(instance, "ln", "-sf", target, "/etc/passwd")[0] == 0


def test_a_list_of_users_that_never_ends_holds_up_nobody(start: Start) -> None:
    instance = start()
    spoil_users(instance, "/dev/zero")
    transport = instance.connect()
    decoder = wire.Decoder()
    hello(transport, instance.spec_digest, decoder)
    transport.send(wire.listen(1, wire.UNIX, "/tmp/s", 0, user="somebody", window=1000))
    frames = list(decoder.feed(transport.receive(65536)))
    assert [(kind, channel) for kind, channel, _ in frames] == [(wire.FAILED, 1)]
    assert wire.parse_failed(frames[0][2])[1] == wire.STAGE_USER
    transport.close()
    assert run(instance, "echo", "alive", user="1000:1000")[0] == 0


def test_a_list_of_users_that_cannot_be_read_gives_nobody_the_group_of_root(start: Start) -> None:
    instance = start()
    assert run(instance, "id", "-g", user="1000")[1] == b"0\n"  # not listed: what the protocol says
    spoil_users(instance, "passwd")  # a link to itself
    with pytest.raises(DevboxError, match="there is no user"):
        run(instance, "id", "-g", user="1000")
    assert run(instance, "id", "-g", user="1000:1000")[1] == b"1000\n"
    assert run(instance, "id", "-u", user="0")[1] == b"0\n"


def _drain(session: Session) -> int:
    size = 0
    while (frame := session.receive()) is not None:
        size += len(frame[1])
    return size


def test_it_needs_little_memory_idle_and_after_load(start: Start) -> None:
    instance = start()
    assert memory(instance) <= AGENT_MOST
    out = instance.exec(exec_spec("head", "-c", str(512 * MIB), "/dev/zero"))
    assert _drain(out) == 512 * MIB
    out.close()
    back = instance.exec(exec_spec("cat"))
    reader = threading.Thread(target=lambda: sizes.append(_drain(back)))
    sizes: list[int] = []
    reader.start()
    for _ in range(256):
        back.send(bytes(MIB))
    back.close_stdin()
    reader.join()
    back.close()
    assert sizes == [256 * MIB]
    sessions = [instance.exec(exec_spec("sleep", "600")) for _ in range(200)]
    assert len(instance.sessions()) == 200
    for session in sessions:
        session.close()
    until(lambda: not instance.sessions())
    assert memory(instance) <= AGENT_MOST
