"""A real kernel whose /init is the agent, and the agent that is reached in it over the line."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from devbox import paths
from devbox.agent.client import AgentError, OtherAgent, dial
from devbox.agent.session import start
from devbox.agent.wire import ExecMessage
from devbox.errors import MachineError
from devbox.runtimes.vm.inner import SETTLE_HERE, Fact, told
from devbox.vm import lines
from devbox.vm.images import MachineImage
from devbox.vm.line_process import LOCK
from tests.support.small_machine import IDENTITY, PROCESSES, SmallMachine, small_image, small_machine
from tests.support.waiting import until

pytestmark = [pytest.mark.vm, pytest.mark.network, pytest.mark.timeout(300)]

AHEAD = 24 * 60 * 60  # of this host's clock, which QEMU's shows


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> MachineImage:
    return small_image(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, image: MachineImage) -> Iterator[SmallMachine]:
    epoch = int(time.time()) + AHEAD
    with small_machine(tmp_path_factory.mktemp("machine") / "m", image, epoch=epoch) as found:
        yield found


def test_the_machine_is_what_it_was_told_to_be(small: SmallMachine) -> None:
    assert small.sh("uname -n; cat /etc/hostname").split() == ["small", "small"]
    assert "10.0.2.15\tsmall" in small.sh("cat /etc/hosts")
    assert small.sh("cat /etc/resolv.conf") == "nameserver 10.0.2.3\n"
    assert "0202000A" in small.sh("cat /proc/net/route")


def test_its_qemu_is_nobody_and_writes_to_nothing_but_its_disk(small: SmallMachine) -> None:
    pid = (small.directory / paths.MACHINE_RECORD).read_text().split("\n")[2]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert "0" not in status["Uid"].split() + status["Gid"].split() + status["Groups"].split()
    assert {status[f"Cap{name}"].strip("\t0") for name in ("Inh", "Prm", "Eff", "Amb")} == {""}
    assert status["NoNewPrivs"].strip() == "1"
    assert set(_written(pid)) == {small.machine.disk}
    if os.getuid() == 0:
        assert int(status["Uid"].split()[0]) > 60000, "it is another user's"


def _written(pid: str) -> Iterator[Path]:
    """Go through the files that a process has open to write to."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        facts = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
        flags = int(facts.split("flags:")[1].split()[0], 8)
        if descriptor.is_file() and flags & (os.O_WRONLY | os.O_RDWR):
            yield descriptor.readlink()


def test_its_clock_goes_on_from_what_it_was_told(small: SmallMachine) -> None:
    began = int(small.sh("cat /proc/stat").split("btime ")[1].split()[0])
    up = float(small.sh("cat /proc/uptime").split()[0])
    assert abs(began + up - (time.time() + AHEAD)) < 300


def test_what_it_starts_has_the_environment_it_was_told_and_no_other(small: SmallMachine) -> None:
    found = dict(line.split("=", 1) for line in small.sh("env").splitlines())
    assert found["GREETING"] == "hello there"
    assert set(found) <= {"GREETING", "PATH", "HOME", "USER", "LOGNAME", "PWD", "_", "SHLVL"}


def test_root_may_do_what_root_of_a_machine_may(small: SmallMachine) -> None:
    assert small.sh("id -u; id -g").split() == ["0", "0"]
    assert small.sh("echo 1 > /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward") == "1\n"
    assert small.sh("mount -t tmpfs none /tmp; echo kept > /tmp/x; cat /tmp/x") == "kept\n"
    assert "CapEff:\t000001ffffffffff" in small.sh("cat /proc/self/status")


def test_a_user_has_no_more_than_a_user_has_and_can_gain_what_a_file_gives(small: SmallMachine) -> None:
    assert small.sh("id -u; id -g; id -G", user="dev").split() == ["1000"] * 3
    status = small.sh("cat /proc/self/status", user="dev")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t0" in status
    assert "euid=0(root)" in small.sh("/bin/rootid", user="dev")
    assert small.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward", user="dev")[0] != 0
    assert small.run("cat", "/run/devbox/boot/environment", user="dev")[0] != 0


def test_much_goes_both_ways(small: SmallMachine) -> None:
    data = os.urandom(300_000).hex().encode() * 10
    assert small.run("cat", stdin=data) == (0, data.decode())


def settle(small: SmallMachine, *facts: Fact, identity: str = IDENTITY) -> tuple[int, bytes]:
    """Have its agent carry out `facts` itself; return the exit code and what was said."""
    message = ExecMessage(SETTLE_HERE, user="0:0")
    with closing(start(dial(str(small.agent_socket)), identity, message, given=told(facts))) as session:
        words = b"".join(frame[1] for frame in iter(session.receive, None))
        return session.exit_code(), words


def test_its_agent_does_what_it_is_told_by_itself(small: SmallMachine) -> None:
    large = os.urandom(300_000).hex().encode()  # comes in many pieces
    assert settle(small, ("hostname", b"other"), ("file", b"/root/large\0" + large)) == (0, b"")
    assert small.sh("uname -n; cat /root/large") == f"other\n{large.decode()}"
    assert settle(small, ("hostname", b"small")) == (0, b"")


@pytest.mark.parametrize(("wrong", "why"), [("hostname", "stdin: Invalid argument"), ("data", "data: No such device")])
def test_what_its_agent_cannot_do_it_says(small: SmallMachine, wrong: str, why: str) -> None:
    value = {"hostname": b"", "data": b"no such disk"}[wrong]
    assert settle(small, (wrong, value)) == (1, f"agent: {why}\n".encode())
    assert small.sh("uname -n") == "small\n"


def test_whoever_goes_before_all_is_said_has_told_nothing(small: SmallMachine) -> None:
    message = ExecMessage(SETTLE_HERE, user="0:0")
    with closing(start(dial(str(small.agent_socket)), IDENTITY, message)) as session:
        session.send(told([("hostname", b"other")]))
    assert small.sh("uname -n") == "small\n"


def test_its_agent_is_another_one_when_it_is_told_so(small: SmallMachine) -> None:
    other = "cd" * 32
    assert settle(small, ("identity", other.encode())) == (0, b"")
    with pytest.raises(OtherAgent):
        small.sh("true")
    assert settle(small, ("identity", IDENTITY.encode()), identity=other) == (0, b"")
    assert small.sh("uname -n") == "small\n"


def test_a_line_that_was_killed_is_started_again_and_the_machine_goes_on(small: SmallMachine) -> None:
    small.sh("echo before > /run/kept")
    os.kill(int(Path(f"{small.agent_socket}{LOCK}").read_text().split()[0]), signal.SIGKILL)
    until(lambda: not lines.listens(small.agent_socket))
    lines.ensure(small.directory / paths.MACHINE_LINE, small.agent_socket, PROCESSES)
    until(lambda: lines.listens(small.agent_socket), within=20)
    assert small.sh("cat /run/kept") == "before\n"


def test_it_goes_off_when_it_is_told_to_and_keeps_what_was_written(tmp_path: Path, image: MachineImage) -> None:
    with small_machine(tmp_path / "m", image) as found:
        found.sh("echo kept > /root/file")
        with suppress(AgentError):  # it may be gone before it can say that it goes
            found.run("/run/devbox/agent", "off")
        until(lambda: not found.machine.running(), within=30)
    with small_machine(tmp_path / "m", image) as found:
        assert found.sh("cat /root/file") == "kept\n"


def test_what_cannot_be_booted_says_so_and_goes_off(tmp_path: Path, image: MachineImage) -> None:
    with (
        pytest.raises(MachineError, match="devbox: boot: /sbin/none: No such file or directory"),
        small_machine(tmp_path / "m", image, init="/sbin/none"),
    ):
        raise AssertionError("it was booted")
