"""The real agent when descriptors run out, and when a client asks for more than is good for it."""

import _socket
import asyncio
import contextlib
import errno
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.agent import program, wire
from devbox.agent.client import AgentBusy, StartError, dial, open_socket
from devbox.agent.mux import AgentMux
from devbox.agent.session import ask_sessions, ask_stat
from devbox.agent.wire import ExecMessage, frame
from tests.contract.agent.conftest import Target
from tests.contract.agent.test_any_bytes import descriptors
from tests.contract.agent.test_connection import Client
from tests.contract.agent.test_processes import ended
from tests.support.agent import children, host_agent
from tests.support.skips import NOT_HERE
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)

FEW = 40  # descriptors
MIB = 1024 * 1024
FAR = 10_000_000_000  # seconds since 1970: the year 2286


@pytest.fixture
def poor() -> Iterator[Target]:
    """An agent that may have few descriptors."""
    ours = os.environ.get("DEVBOX_TEST_AGENT") or str(program.binary(os.uname().machine))
    with host_agent(argv=["/bin/sh", "-c", f'ulimit -n {FEW}; exec "$0" "$@"', ours]) as agent:
        yield Target(agent.path, lambda: dial(agent.path), host=agent)


def processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_waits_for_some_and_does_not_spin(poor: Target) -> None:
    assert poor.host
    first = poor.start("cat")
    knocking = [open_socket(poor.path) for _ in range(2 * FEW)]
    before = processor_time(poor.host.pid)
    time.sleep(0.5)
    assert processor_time(poor.host.pid) - before < 0.25
    first.send(b"as ever")
    assert first.receive() == (1, b"as ever")
    for one in knocking:
        one.close()
    assert poor.run("echo", "again")[:2] == (0, b"again\n")
    first.close()


def test_what_has_no_descriptors_left_fails_and_leaks_none(poor: Target) -> None:
    assert poor.host
    until(lambda: not ask_sessions(poor.dial(), poor.identity))
    held = []
    with contextlib.suppress(StartError):
        while True:
            held.append(poor.start("sleep", "600"))
    with pytest.raises(StartError) as caught:
        poor.start("sleep", "600")
    assert (caught.value.errno, caught.value.stage) == (errno.EMFILE, wire.STAGE_RESOURCES)
    assert len(ask_sessions(poor.dial(), poor.identity)) == len(held) > 3
    for session in held:
        session.close()
    until(lambda: not ask_sessions(poor.dial(), poor.identity))
    # the agent's own are the standard streams, epoll, signals, the directory and the door
    pid = poor.host.pid
    until(lambda: descriptors(pid) <= 7)


def test_who_vanishes_while_there_are_no_descriptors_takes_its_processes_along(real: Target) -> None:
    assert real.host
    session = real.start("sleep", "600")
    usual = resource.prlimit(real.host.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(real.host.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
    session.close()
    time.sleep(0.3)
    resource.prlimit(real.host.pid, resource.RLIMIT_NOFILE, usual)
    until(lambda: ended(session.pid))


def test_a_detached_process_is_listed_or_gone(real: Target) -> None:
    """Whoever goes before it has heard that it started, hears of it by the list."""
    assert real.host
    pid = real.host.pid
    for pause in (0.0, 0.0005, 0.001, 0.002, 0.004):
        detached = ExecMessage(("sleep", "600"), flags=wire.FLAG_DETACH)
        with contextlib.closing(open_socket(real.path)) as client:
            client.sendall(wire.hello("") + wire.exec_(1, detached, window=1000))
            time.sleep(pause)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                continue
        until(lambda: sorted(children(pid)) == sorted(one.pid for one in ask_sessions(real.dial(), real.identity)))


def test_nothing_is_said_of_a_channel_that_has_ended(real: Target) -> None:
    transport = real.dial()
    client = Client(transport)
    left = "exec 3<&0; sleep 2 <&3 >/dev/null 2>&1 & sleep 0.3"  # has the input open, and does not read it
    message = ExecMessage(("sh", "-c", left), flags=wire.FLAG_STDIN)
    full = frame(wire.DATA, 1, b"x" * 65536)
    client.say(wire.hello("") + wire.exec_(1, message, window=1000) + full)
    seen: list[int] = []
    credit = 0
    while credit < 65536:  # what the pipe took; what is sent from here on waits for a reader that never comes
        kind, _, payload = client.next() or (0, 0, b"")
        assert kind in (wire.HELLO, wire.STARTED, wire.WINDOW)
        credit += wire.parse_window(payload) if kind == wire.WINDOW else 0
    client.say(full)
    while not seen or seen[-1] != wire.EXIT:
        seen.append((client.next() or (0,))[0])
    client.say(frame(wire.SESSIONS, 3))
    assert (client.next() or (0, 0))[:2] == (wire.SESSIONS, 3)
    transport.close()


def test_a_client_that_asks_and_never_reads_is_left(real: Target) -> None:
    assert real.host
    words = ["x" * 256] * 12
    held = [real.start("sh", "-c", "sleep 600; true", *words) for _ in range(10)]  # to have 30 KB to tell
    with contextlib.closing(open_socket(real.path)) as client:
        client.settimeout(20)
        with contextlib.suppress(ConnectionError):
            client.sendall(wire.hello("") + frame(wire.SESSIONS, 1) * 5000)
        until(lambda: is_over(client))
        assert real.host.memory() < 16 * MIB
    assert real.run("true")[0] == 0
    for session in held:
        session.close()


def is_over(client: _socket.socket) -> bool:
    """Whether the other side has closed, without reading a byte that it said."""
    try:
        client.send(b"\0")
    except ConnectionError:
        return True
    return False


def test_a_time_beyond_what_a_signed_number_of_nanoseconds_holds(real: Target, tmp_path: Path) -> None:
    path = tmp_path / "from the future"
    path.touch()
    os.utime(path, ns=(0, FAR * 10**9 + 7))
    if path.stat().st_mtime_ns != FAR * 10**9 + 7:
        pytest.skip(f"{NOT_HERE}the file system holds no such time")
    found = ask_stat(real.dial(), real.identity, str(path))
    assert found
    assert found.mtime == FAR * 10**9 + 7


def test_many_clients_at_once_are_all_served(real: Target) -> None:
    results: list[tuple[int, bytes, bytes]] = []
    threads = [threading.Thread(target=lambda: results.append(real.run("echo", "hi"))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(0, b"hi\n", b"")] * 100


def test_a_unix_socket_whose_queue_is_full_is_waited_for(real: Target, tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def main() -> None:
        mux = await AgentMux.open(real.path, real.identity)
        waiting = [asyncio.create_task(mux.connect(wire.UNIX, path, 0)) for _ in range(12)]
        await asyncio.sleep(0.3)
        assert not all(task.done() for task in waiting)  # the queue is full, and nobody takes anything off it
        listener.settimeout(10)
        for _ in waiting:
            await asyncio.sleep(0.02)
            (await asyncio.to_thread(listener.accept))[0].close()
        for task in waiting:
            (await task).close()
        await mux.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        asyncio.run(main())


def test_who_is_one_too_many_is_told_so_and_nobody_loses_anything() -> None:
    """Who hears nothing takes the agent for dead, and `up` starts a container with a dead agent again."""
    most = 4096
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < most + 200:
        pytest.skip(f"{NOT_HERE}{most + 200} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        with host_agent() as agent, contextlib.ExitStack() as held:
            target = Target(agent.path, lambda: dial(agent.path), host=agent)
            first = target.start("cat")
            for _ in range(most - 1):
                held.callback(open_socket(agent.path).close)
            with pytest.raises(AgentBusy, match="too many connections"):
                target.start("true")
            first.send(b"as ever")
            assert first.receive() == (1, b"as ever")
            first.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
