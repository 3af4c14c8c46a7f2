"""Supervisors in memory and as processes: one suite. The real ones have an agent that is Python."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.errors import SupervisorError
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.supervisor import client
from devbox.supervisor.client import LocalSupervisors, Supervisors
from devbox.supervisor.probe import alive
from devbox.supervisor.protocol import VERSION, Wanted, line
from tests.fakes.agent import FakeAgent
from tests.fakes.supervisor import FakeSupervisors
from tests.support.supervisors import gone, killed, processes

pytestmark = pytest.mark.long

IDENTITY = "1" * 64
WEB = Wanted(name="web", guest=80, host=0)


@dataclass
class Bench:
    """Supervisors, and a Workspace whose Environment runs. `agent` is None where nobody is asked."""

    supervisors: Supervisors
    hash: str
    agent: FakeAgent | None = None


def _bench_hash(name: str) -> str:
    path_hash = f"{abs(hash(name)) % 0x100000000:08x}"
    paths.private_directory(paths.agent_directory(path_hash))
    return path_hash


@pytest.fixture
def real(request: pytest.FixtureRequest) -> Iterator[Bench]:
    path_hash = _bench_hash(request.node.name)
    supervisors = LocalSupervisors(HostProcesses(SilentReporter()))
    with FakeAgent(paths.agent_socket(path_hash), IDENTITY) as agent:
        try:
            yield Bench(supervisors, path_hash, agent)
        finally:
            supervisors.end(path_hash)
            assert gone(path_hash)


@pytest.fixture(params=["fake", "real"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "real":
        found: Bench = request.getfixturevalue("real")
        return found
    return Bench(FakeSupervisors(), "12345678")


def test_there_is_none_until_one_is_started_and_then_that_one(bench: Bench) -> None:
    supervisors, path_hash = bench.supervisors, bench.hash
    assert not supervisors.alive(path_hash)
    assert supervisors.find(path_hash) is None
    assert not supervisors.end(path_hash)
    started = supervisors.start(path_hash, IDENTITY)
    assert supervisors.alive(path_hash)
    assert supervisors.start(path_hash, IDENTITY).pid == started.pid
    found = supervisors.find(path_hash)
    assert found is not None
    assert (found.pid, found.identity, found.ports()) == (started.pid, IDENTITY, ())
    assert supervisors.end(path_hash)
    assert not supervisors.alive(path_hash)


def test_ports_come_go_and_stay(bench: Bench) -> None:
    supervisor = bench.supervisors.start(bench.hash, IDENTITY)
    first = supervisor.declare([WEB, replace(WEB, name="api", guest=81)]).ports
    assert [(port.name, port.guest, port.address, port.declared) for port in first] == [
        ("api", 81, "127.0.0.1", True),
        ("web", 80, "127.0.0.1", True),
    ]
    extra = supervisor.forward(replace(WEB, name="9", guest=9, declared=False)).ports
    assert supervisor.forward(replace(WEB, name="9", guest=10, declared=False)).ports == extra
    assert [port.name for port in supervisor.declare([WEB]).ports] == ["9", "web"]
    assert supervisor.declare([WEB]).ports == (extra[0], first[1])
    assert supervisor.remove("9").ports == (first[1],)
    assert supervisor.remove("9").ports == (first[1],)


def test_a_taken_port_is_the_next_and_the_kept_one_comes_first(bench: Bench) -> None:
    with ExitStack() as held:
        taken = _held(bench, held)
        supervisor = bench.supervisors.start(bench.hash, IDENTITY)
        (port,) = supervisor.declare([replace(WEB, host=taken)]).ports
    assert port.wanted == taken
    assert port.host > taken
    bench.supervisors.end(bench.hash)
    supervisor = bench.supervisors.start(bench.hash, IDENTITY)
    assert [one.host for one in supervisor.declare([replace(WEB, host=taken, kept=port.host)]).ports] == [port.host]


def _held(bench: Bench, held: ExitStack) -> int:
    if isinstance(bench.supervisors, FakeSupervisors):
        bench.supervisors.taken.add(8000)
        return 8000
    other = held.enter_context(socket.socket())
    other.bind(("127.0.0.1", 0))
    other.listen()
    return int(other.getsockname()[1])


def test_without_any_port_it_ends(bench: Bench) -> None:
    supervisor = bench.supervisors.start(bench.hash, IDENTITY)
    supervisor.declare([WEB])
    assert supervisor.remove("web").ports == ()
    if bench.agent:
        assert gone(bench.hash)
    assert not bench.supervisors.alive(bench.hash)
    with pytest.raises(SupervisorError):
        supervisor.ports()


def test_one_of_another_environment_is_replaced(bench: Bench) -> None:
    first = bench.supervisors.start(bench.hash, IDENTITY)
    if bench.agent:
        bench.agent.stop()
        with FakeAgent(paths.agent_socket(bench.hash), "2" * 64):
            second = bench.supervisors.start(bench.hash, "2" * 64)
            assert (second.identity, processes(bench.hash)) == ("2" * 64, [second.pid])
            bench.supervisors.end(bench.hash)
    else:
        second = bench.supervisors.start(bench.hash, "2" * 64)
    assert second.pid != first.pid


def test_the_real_one_is_a_process_of_its_own_for_this_user_alone(real: Bench) -> None:
    pid = real.supervisors.start(real.hash, IDENTITY).pid
    assert processes(real.hash) == [pid]
    assert os.getsid(pid) == pid != os.getsid(0)
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"
    assert Path(paths.supervisor_socket(real.hash)).stat().st_mode & 0o777 == 0o600
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == os.devnull
    assert str(Path(f"/proc/{pid}/fd/2").readlink()) == os.path.realpath(paths.supervisor_log(real.hash))
    os.kill(pid, signal.SIGHUP)
    os.kill(pid, signal.SIGINT)
    found = real.supervisors.find(real.hash)
    assert found is not None
    assert found.pid == pid


def test_bytes_go_through_it(real: Bench) -> None:
    with socket.socket() as inside:
        inside.bind(("127.0.0.1", 0))
        inside.listen()
        supervisor = real.supervisors.start(real.hash, IDENTITY)
        (port,) = supervisor.declare([replace(WEB, guest=inside.getsockname()[1])]).ports
        with socket.create_connection(("127.0.0.1", port.host)) as outside:
            served, _ = inside.accept()
            with served:
                outside.sendall(b"to the inside")
                outside.shutdown(socket.SHUT_WR)
                assert served.makefile("rb").read() == b"to the inside"
                served.sendall(b"and back")
            assert outside.makefile("rb").read() == b"and back"


def test_killed_it_is_started_again_over_what_it_left(real: Bench) -> None:
    first = real.supervisors.start(real.hash, IDENTITY)
    (port,) = first.declare([WEB]).ports
    assert killed(first.pid)
    assert not real.supervisors.alive(real.hash)
    assert Path(paths.supervisor_socket(real.hash)).exists()
    second = real.supervisors.start(real.hash, IDENTITY)
    assert second.declare([replace(WEB, kept=port.host)]).ports == (port,)


def test_one_that_hangs_is_ended_by_force(real: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_PATIENCE", 0.2)
    pid = real.supervisors.start(real.hash, IDENTITY).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert real.supervisors.alive(real.hash)
        assert real.supervisors.find(real.hash) is None
        assert real.supervisors.end(real.hash)
        assert gone(real.hash)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_one_of_another_devbox_tells_nothing_and_is_replaced(real: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = real.supervisors.start(real.hash, IDENTITY)
    first.declare([WEB])
    monkeypatch.setattr(client, "build", lambda: "f" * 16)
    assert real.supervisors.find(real.hash) is None
    with pytest.raises(SupervisorError):
        first.ports()
    second = real.supervisors.start(real.hash, IDENTITY)
    assert second.pid != first.pid
    assert processes(real.hash) == [second.pid]


def test_it_ends_with_the_agent(real: Bench) -> None:
    assert real.agent
    supervisor = real.supervisors.start(real.hash, IDENTITY)
    (port,) = supervisor.declare([WEB]).ports
    real.agent.stop()
    assert gone(real.hash)
    assert not Path(paths.supervisor_socket(real.hash)).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.host)).close()


def test_it_goes_on_with_the_same_environment_started_again(real: Bench) -> None:
    assert real.agent
    supervisor = real.supervisors.start(real.hash, IDENTITY)
    ports = supervisor.declare([WEB]).ports
    real.agent.stop()
    with FakeAgent(paths.agent_socket(real.hash), IDENTITY) as again:
        while not again.clients:
            assert processes(real.hash), "it did not wait"
        assert supervisor.ports() == ports


def test_without_an_agent_it_does_not_start_and_says_why(real: Bench) -> None:
    assert real.agent
    real.agent.stop()
    with pytest.raises(SupervisorError) as caught:
        real.supervisors.start(real.hash, IDENTITY)
    assert "no agent answers" in (caught.value.detail or "")
    assert gone(real.hash)


def test_it_is_no_agent_for_another_environment(real: Bench) -> None:
    with pytest.raises(SupervisorError):
        real.supervisors.start(real.hash, "3" * 64)
    assert gone(real.hash)


def test_two_at_once_are_one(real: Bench) -> None:
    program = [sys.executable, "-I", "-S", str(client.PROGRAM), real.hash, IDENTITY, client.build()]
    first = real.supervisors.start(real.hash, IDENTITY)
    done = HostProcesses(SilentReporter()).run(program, check=False)
    assert done.status == 1
    assert "does not end" in done.stderr
    assert processes(real.hash) == [first.pid]


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b'{"op": "ports"}\n',
        b'{"op": 1}\n',
        b"x" * 2_000_000,
        b'{"op":"hello"}\n{"op":"ports"}\n',
    ],
)
def test_whoever_says_nonsense_gets_nothing_and_it_goes_on(real: Bench, said: bytes) -> None:
    supervisor = real.supervisors.start(real.hash, IDENTITY)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(paths.supervisor_socket(real.hash))
        try:
            other.sendall(said)
            other.shutdown(socket.SHUT_WR)
            assert b'"ports"' not in other.makefile("rb").read()
        except OSError:
            pass  # it has hung up
    assert supervisor.ports() == ()


def test_nonsense_after_the_hello_is_refused_in_words(real: Bench) -> None:
    real.supervisors.start(real.hash, IDENTITY)
    hello = {"op": "hello", "version": VERSION, "build": client.build()}
    for request in (
        {"op": "no"},
        {"op": "declare"},
        {"op": "declare", "ports": [1]},
        {"op": "forward", "port": {"name": 1}},
    ):
        with socket.socket(socket.AF_UNIX) as other, other.makefile("rb") as stream:
            other.connect(paths.supervisor_socket(real.hash))
            other.sendall(line(hello) + line(request))
            stream.readline()
            assert b'"ok":false' in stream.readline()


def test_a_long_path_is_no_matter(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("x" * 120)
    monkeypatch.setenv("XDG_STATE_HOME", str(place))
    path_hash = _bench_hash("long")
    supervisors = LocalSupervisors(HostProcesses(SilentReporter()))
    with FakeAgent(paths.agent_socket(path_hash), IDENTITY):
        try:
            assert supervisors.start(path_hash, IDENTITY).declare([WEB]).ports
            assert alive(paths.supervisor_socket(path_hash))
        finally:
            supervisors.end(path_hash)


SLOW = {"docker", "pydantic", "typer", "asyncssh", "rich", "tomli", "requests"}


def test_it_imports_nothing_but_the_standard_library() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import devbox.supervisor.serve; print(*sys.modules)"
    argv = [sys.executable, "-I", "-S", "-c", code, str(client.PROGRAM.parents[2])]
    found = HostProcesses(SilentReporter()).run(argv).stdout.split()
    roots = {name.split(".")[0] for name in found}
    assert "asyncio" in roots
    assert not roots & SLOW
    assert roots <= sys.stdlib_module_names | {"devbox", "__main__"}
    rooms = {name.split(".")[1] for name in found if name.startswith("devbox.")}
    assert rooms <= {"supervisor", "agent", "process", "reporter", "paths", "values", "errors", "faults"}


def test_what_it_takes_of_memory_and_from_where(real: Bench) -> None:
    supervisor = real.supervisors.start(real.hash, IDENTITY)
    supervisor.declare([WEB])
    status = dict(entry.split(":", 1) for entry in Path(f"/proc/{supervisor.pid}/status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) < 30_000
    mapped = Path(f"/proc/{supervisor.pid}/maps").read_text()
    assert "site-packages" not in mapped
