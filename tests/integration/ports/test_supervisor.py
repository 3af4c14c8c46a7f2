"""The Supervisor's life on a real engine."""

import json
import signal
import socket
import subprocess
import time

import pexpect
import pytest

from devbox.values import LABEL_WORKSPACE
from tests.integration.ports.conftest import PATIENCE, asked, echo, host_port
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox, engine
from tests.support.supervisors import gone, killed, processes

pytestmark = pytest.mark.docker
WEB = "[ports]\nweb = { guest = 8000, host = 0 }\n"


@pytest.fixture
def web(devbox: Devbox) -> Devbox:
    """An environment whose port `web` echoes."""
    write(devbox, WEB)
    devbox("up")
    echo(devbox, 8000)
    return devbox


def _container(devbox: Devbox) -> str:
    return str(devbox.json("status")["instance"])


def test_without_ports_there_is_none(devbox: Devbox) -> None:
    devbox("up")
    assert processes(devbox.hash) == []


def test_the_engine_publishes_nothing_and_this_host_listens_on_loopback_alone(web: Devbox) -> None:
    port = host_port(web, "web")
    listening = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[3].rpartition(":")[0] for line in listening.splitlines()} == {"127.0.0.1", "[::1]"}
    with engine() as client:
        (box,) = client.containers.list(filters={"label": f"{LABEL_WORKSPACE}={web.hash}"})
        assert not any(box.ports.values())


def test_ports_change_without_another_container(web: Devbox) -> None:
    before = _container(web)
    write(web, WEB.replace("web", "site") + "api = { guest = 8001, host = 0 }\n")
    assert "ports changed" in web("up").stdout
    assert _container(web) == before
    echo(web, 8001)
    assert asked(host_port(web, "api"), b"a") == b"a"
    assert asked(host_port(web, "site"), b"b") == b"b"
    assert web("up").stdout == "nothing to do\n"
    write(web)
    assert "ports changed" in web("up").stdout
    assert gone(web.hash)
    assert _container(web) == before


def test_killed_it_is_told_by_status_and_repaired_by_the_next_command(web: Devbox) -> None:
    port = host_port(web, "web")
    for repair in (("up",), ("port",), ("shell", "--", "true")):
        (pid,) = processes(web.hash)
        assert killed(pid)
        status = web.json("status")
        assert [problem["hint"] for problem in status["problems"]] == ["devbox up"]
        assert "supervisor has ended" in status["problems"][0]["message"]
        assert [one["host_port"] for one in status["ports"]] == [port]
        web(*repair)
        assert asked(port, b"x") == b"x"
        assert not web.json("status")["problems"]


def test_a_container_that_is_killed_takes_it_along(web: Devbox) -> None:
    port = host_port(web, "web")
    with engine() as client:
        client.containers.get(_container(web)).kill()
    assert gone(web.hash)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
    web("up")
    assert host_port(web, "web") == port


def test_a_container_that_is_restarted_keeps_it(web: Devbox) -> None:
    port = host_port(web, "web")
    before = processes(web.hash)
    with engine() as client:
        client.containers.get(_container(web)).restart(timeout=5)
    web("up")
    echo(web, 8000)
    assert asked(port, b"x") == b"x"
    assert len(processes(web.hash)) == len(before) == 1


def test_halt_ends_it_and_up_gives_the_same_port(web: Devbox) -> None:
    port = host_port(web, "web")
    web("halt")
    assert processes(web.hash) == []
    assert web.json("status")["ports"][0]["host_port"] == port
    web("up")
    assert host_port(web, "web") == port
    web("destroy", "-f")
    assert processes(web.hash) == []


def test_it_outlives_the_terminal_and_whoever_started_it(devbox: Devbox) -> None:
    write(devbox, WEB)
    terminal = pexpect.spawn(
        devbox.account.python, ["-m", "devbox", "shell"], cwd=str(devbox.directory), env=devbox.environment, timeout=60
    )
    terminal.expect("[$#] ")
    (pid,) = processes(devbox.hash)
    terminal.close(force=True)  # SIGHUP to all that have it
    echo(devbox, 8000)
    assert asked(host_port(devbox, "web"), b"x") == b"x"
    assert processes(devbox.hash) == [pid]


def test_two_ups_at_once_are_one_supervisor(devbox: Devbox) -> None:
    write(devbox, WEB)
    command = [devbox.account.python, "-m", "devbox", "up"]
    both = [subprocess.Popen(command, cwd=devbox.directory, env=devbox.environment) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert len(processes(devbox.hash)) == 1


def test_it_costs_nothing_while_nobody_connects(web: Devbox) -> None:
    asked(host_port(web, "web"), b"x")
    (pid,) = processes(web.hash)
    before = None
    while before != (before := _switches(pid)):  # the end of the connection is still being dealt with
        time.sleep(0.5)
    time.sleep(2)
    assert _switches(pid) == before, "it woke up though nothing came"


def _switches(pid: int) -> list[str]:
    """Return how often it was woken up: each time that it waits anew counts."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123
        return [line for line in file if "ctxt_switches" in line]


def test_its_log_says_what_was_relayed_and_is_json_on_request(web: Devbox) -> None:
    port = host_port(web, "web")
    assert f"port web: 127.0.0.1:{port}/tcp leads to 8000" in web("logs", "--supervisor").stdout
    entries = json.loads(web("logs", "--supervisor", "--json", "-n", "1").stdout)["logs"]
    assert len(entries) == 1


def test_its_log_can_be_followed(web: Devbox) -> None:
    command = [web.account.python, "-m", "devbox", "logs", "--supervisor", "-f"]
    with subprocess.Popen(
        command, cwd=web.directory, env=web.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as follower:
        assert follower.stdout
        assert "devbox supervisor" in follower.stdout.readline()
        web("port", "5173:0")
        while "port 5173:" not in follower.stdout.readline():
            pass
        follower.send_signal(signal.SIGINT)
        assert follower.wait(PATIENCE) == 130


def _leaves_hot(devbox: Devbox) -> str:
    """Return why the hot path would not answer `status` now; empty if it would."""
    code = "import os; from devbox.hot.answer import Case, why_not; print(why_not(Case(['status'], os.environ)))"
    argv = [devbox.account.python, "-c", code]
    return subprocess.run(
        argv, cwd=devbox.directory, env=devbox.environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_hot_path_says_nothing_of_ports_that_may_have_changed(web: Devbox) -> None:
    while _leaves_hot(web):  # until the clock of the file system has moved on past the profile
        web("up")
    hot = web.json("status")
    assert [one["name"] for one in hot["ports"]] == ["web"]
    web("port", "5173:0")
    assert _leaves_hot(web)
    assert {one["name"] for one in web.json("status")["ports"]} == {"5173", "web"}
    web("up")
    assert not _leaves_hot(web)
    assert {one["name"] for one in web.json("status")["ports"]} == {"5173", "web"}
    assert killed(processes(web.hash)[0])
    assert "no Supervisor" in _leaves_hot(web)
