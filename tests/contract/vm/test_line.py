"""The line between a host and a machine: many at once, none held up by another, what becomes of it when parts go."""

import hashlib
import os
import random
import resource
import select
import socket
import subprocess
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from devbox.agent import program
from devbox.agent.client import dial
from devbox.agent.session import start
from devbox.agent.wire import ExecMessage
from devbox.errors import CommandFailedError
from devbox.vm import line_frames as frames
from devbox.vm import lines
from devbox.vm.line_process import LOCK
from tests.contract.agent.conftest import read_all
from tests.contract.agent.test_processes import ended
from tests.contract.vm.conftest import PROCESSES, Bed, Server, open_files
from tests.support.agent import IDENTITY, host_agent
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.long]

MIB = 1024 * 1024
MANY = 50


def says_and_hears(client: socket.socket, data: bytes) -> bytes:
    """Send `data`, shut our direction, and return all that comes until the other side has ended."""
    feeder = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)), daemon=True)
    feeder.start()
    heard = bytearray()
    while piece := client.recv(65536):
        heard += piece
    feeder.join()
    return bytes(heard)


def answers(bed: Bed) -> bool:
    """Whether a new connection comes through."""
    with bed.connect() as client:
        client.sendall(b"ping")
        return client.recv(16) == b"ping"


def test_what_is_said_comes_back_and_each_direction_has_its_end(bed: Bed) -> None:
    with bed.connect() as client:
        assert says_and_hears(client, b"hello") == b"helloend"


def test_twenty_mebibytes_go_both_ways_byte_for_byte(bed: Bed) -> None:
    data = random.Random(1).randbytes(20 * MIB)
    with bed.connect() as client:
        assert hashlib.sha256(says_and_hears(client, data)).digest() == hashlib.sha256(data + b"end").digest()


def test_two_hundred_at_once_are_kept_apart(bed: Bed) -> None:
    clients = [bed.connect() for _ in range(200)]
    try:
        for number, client in enumerate(clients):
            client.sendall(f"number {number} ".encode() * 100)
        for number, client in enumerate(clients):
            client.shutdown(socket.SHUT_WR)
            heard = b"".join(iter(lambda one=client: one.recv(65536), b""))  # type: ignore[misc]
            assert heard == f"number {number} ".encode() * 100 + b"end"
    finally:
        for client in clients:
            client.close()


def test_who_reads_nothing_holds_up_nobody(bed: Bed) -> None:
    data = random.Random(2).randbytes(4 * MIB)
    with bed.connect() as deaf, bed.connect() as held, bed.connect() as client:
        deaf.sendall(b"flood")
        held.sendall(b"hold")
        held.settimeout(0.5)
        with pytest.raises(TimeoutError):
            held.sendall(bytes(64 * MIB))
        assert says_and_hears(client, data) == data + b"end"


def test_who_was_held_up_goes_on(bed: Bed, server: Server) -> None:
    with bed.connect() as held:
        held.sendall(b"hold")
        assert held.recv(16) == b"held"
        heard: list[bytes] = []
        thread = threading.Thread(target=lambda: heard.append(says_and_hears(held, bytes(8 * MIB))), daemon=True)
        thread.start()
        assert answers(bed)
        server.released.set()
        thread.join()
    assert len(heard[0]) == 8 * MIB + len(b"end")


def test_many_who_flood_and_go_leave_nothing(bed: Bed) -> None:
    assert answers(bed)
    pids = (bed.host_pid(), bed.guest_pid())
    before = [open_files(pid) for pid in pids]
    with ExitStack() as clients:
        for _ in range(MANY):
            client = clients.enter_context(bed.connect())
            client.sendall(b"flood")
            client.recv(1)
        assert all(open_files(pid) > most + MANY // 2 for pid, most in zip(pids, before, strict=True))
    until(lambda: all(open_files(pid) <= most for pid, most in zip(pids, before, strict=True)))
    assert answers(bed)


def test_an_end_from_inside_is_seen(bed: Bed) -> None:
    with bed.connect() as client:
        client.sendall(b"leave")
        assert client.recv(1) == b""


def test_nobody_behind_the_agent_is_an_end_at_once(tmp_path: Path) -> None:
    with Bed(tmp_path, tmp_path / "nobody.sock") as bed, bed.start().connect() as client:
        assert client.recv(1) == b""


def test_a_host_that_was_killed_is_started_again_and_its_clients_are_gone(bed: Bed) -> None:
    with bed.connect() as deaf:
        deaf.sendall(b"flood")
        deaf.recv(1)
        bed.kill_host()
        while deaf.recv(65536):
            pass
    bed.ensure()
    assert answers(bed)


def test_a_host_that_was_killed_in_the_middle_of_a_frame_is_understood_again(bed: Bed) -> None:
    bed.kill_host()
    bed.port.say_to_machine(frames.HEAD.pack(7, frames.DATA, 0, frames.DATA_MOST) + b"and no more")
    bed.ensure()
    assert answers(bed)


def test_an_agent_that_was_killed_in_the_middle_of_a_frame_is_understood_again(bed: Bed) -> None:
    with bed.connect() as client:
        client.sendall(b"ping")
        client.recv(16)
        bed.end_guest()
        bed.port.say_to_host(frames.HEAD.pack(7, frames.DATA, 0, frames.DATA_MOST) + b"and no more")
        bed.start_guest()
        assert client.recv(1) == b""
    assert answers(bed)


def test_an_agent_that_is_started_again_has_its_clients_told(bed: Bed) -> None:
    with bed.connect() as client:
        client.sendall(b"ping")
        client.recv(16)
        bed.end_guest()
        bed.start_guest()
        assert client.recv(1) == b""
    assert answers(bed)


def test_the_socket_is_not_there_before_the_machine_answers(tmp_path: Path, server: Server) -> None:
    with Bed(tmp_path, tmp_path / "server.sock") as bed:
        lines.ensure(bed.port.host, bed.agent_socket, PROCESSES)
        until(lambda: bed.port.came() == 1)
        assert not bed.agent_socket.exists()
        bed.start_guest()
        until(lambda: lines.listens(bed.agent_socket))
        assert bed.agent_socket.stat().st_mode & 0o777 == 0o600
        assert answers(bed)


GARBAGE = [
    b"\x00" * 4096,
    b"\xff" * 70_000,
    frames.frame(0, frames.RESET, bytes(24)),
    frames.frame(0, frames.RESET, frames.MAGIC + bytes(16)),
    frames.frame(5, frames.OPEN),
    frames.frame(0, frames.OPEN),
    frames.frame(1, frames.CREDIT, b"\x01\x00"),
    frames.frame(99, frames.DATA, b"nobody") + frames.frame(99, frames.END) + frames.frame(99, frames.CLOSE),
    random.Random(3).randbytes(100_000),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_from_either_side_is_survived(bed: Bed, garbage: bytes) -> None:
    before = bed.host_pid()
    for say in (bed.port.say_to_host, bed.port.say_to_machine):
        with bed.connect() as client:
            client.sendall(b"ping")
            client.recv(4)
            say(garbage)
        until(lambda: lines.listens(bed.agent_socket))
        until(lambda: _answers_soon(bed), within=20)
    assert bed.host_pid() == before


LIVE = range(1, 9)  # the number of a client is one of these
VIOLATIONS = {
    "more credit than there can be": [(frames.CREDIT, b"\xff\xff\xff\xff")],
    "two ends": [(frames.END, b"")] * 2,
    "data after the end": [(frames.END, b""), (frames.DATA, b"more")],
    "data above the room": [(frames.DATA, bytes(frames.DATA_MOST))] * 20,  # with what the sockets behind it take
}


@pytest.mark.parametrize("to", ["host", "machine"])
@pytest.mark.parametrize("violation", VIOLATIONS.values(), ids=VIOLATIONS)
def test_what_cannot_be_said_of_a_connection_is_the_end_of_it(
    bed: Bed, violation: list[tuple[int, bytes]], to: str
) -> None:
    with bed.connect() as held:
        held.sendall(b"hold")
        assert held.recv(16) == b"held"
        said = [frames.frame(number, kind, payload) for number in LIVE for kind, payload in violation]
        (bed.port.say_to_host if to == "host" else bed.port.say_to_machine)(b"".join(said))
        until(lambda: is_hung_up(held), within=20)
    until(lambda: _answers_soon(bed), within=20)


def is_hung_up(client: socket.socket) -> bool:
    """Whether nobody is at the other end, which has not only said that it says no more."""
    look = select.poll()
    look.register(client, 0)
    return any(events & select.POLLHUP for _, events in look.poll(0))


def _answers_soon(bed: Bed) -> bool:
    try:
        return answers(bed)
    except OSError:
        return False


def test_a_host_without_a_descriptor_for_a_client_lets_it_in_when_there_is_one(bed: Bed) -> None:
    assert answers(bed)
    limits = resource.prlimit(bed.host_pid(), resource.RLIMIT_NOFILE)
    resource.prlimit(bed.host_pid(), resource.RLIMIT_NOFILE, (3, limits[1]))
    with bed.connect() as client:
        client.sendall(b"ping")
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.recv(16)
        resource.prlimit(bed.host_pid(), resource.RLIMIT_NOFILE, limits)
        client.settimeout(20)
        assert client.recv(16) == b"ping"


def test_the_end_of_the_port_ends_the_line_and_its_socket(tmp_path: Path, server: Server) -> None:
    with Bed(tmp_path, tmp_path / "server.sock") as bed:
        pid = bed.start().host_pid()
        bed.port.close()
        until(lambda: not bed.agent_socket.exists() and ended(pid))
        assert bed.guest_status() == 0
        assert not bed.lock.read_bytes()


def test_one_line_serves_however_many_ask_for_it(bed: Bed) -> None:
    pid = bed.host_pid()
    bed.agent_socket.unlink()  # as if the machine had not answered yet
    asking = [subprocess.Popen(lines.argv(bed.port.host, bed.agent_socket)) for _ in range(4)]
    assert [one.wait() for one in asking] == [0] * 4
    assert bed.host_pid() == pid
    assert bed.port.came() == 1


def test_without_a_port_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError) as found:
        lines.ensure(tmp_path / "nothing.sock", tmp_path / "agent.sock", PROCESSES)
    assert found.value.detail == "No such file or directory"
    assert not lines.listens(tmp_path / "agent.sock")


def test_an_end_is_harmless_where_there_is_no_line(tmp_path: Path) -> None:
    lines.end(tmp_path / "agent.sock")
    Path(f"{tmp_path}/agent.sock{LOCK}").write_text("1 0 0")
    lines.end(tmp_path / "agent.sock")


def test_an_end_leaves_no_number_that_may_become_another_process_s(bed: Bed) -> None:
    bed.kill_host()
    assert bed.lock.read_bytes()
    lines.end(bed.agent_socket)
    assert not bed.lock.read_bytes()


def test_paths_may_be_longer_than_a_socket_s_name(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    with Bed(Path(), tmp_path / "server.sock") as bed:
        bed.port.host = bed.port.host.rename(long / "line.sock")
        bed.agent_socket = long / "agent.sock"
        bed.start()
        lines.end(bed.agent_socket)
        assert not bed.agent_socket.exists()


def test_the_agent_s_own_protocol_goes_over_it(tmp_path: Path) -> None:
    with (
        host_agent(argv=[str(program.binary(os.uname().machine))]) as agent,
        Bed(tmp_path, Path(agent.path)) as bed,
        closing(dial(str(bed.start().agent_socket))) as transport,
    ):
        session = start(transport, IDENTITY, ExecMessage(("sh", "-c", "cat; exit 3")))
        session.send(b"x" * 300_000)
        session.close_stdin()
        assert read_all(session) == (3, b"x" * 300_000, b"")
        session.close()


def test_it_is_lean(bed: Bed) -> None:
    """What it loads is what it costs for as long as a machine runs."""
    for line in Path(f"/proc/{bed.host_pid()}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            assert int(line.split()[1]) < 8192  # KiB
