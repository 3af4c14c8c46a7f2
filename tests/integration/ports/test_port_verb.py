"""`devbox port` on a real engine."""

import signal
import socket
import subprocess

import pytest

from tests.integration.ports.conftest import PATIENCE, asked, echo, host_port, serve
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox
from tests.support.supervisors import processes

pytestmark = pytest.mark.docker


@pytest.fixture
def running(devbox: Devbox) -> Devbox:
    """An environment without declared ports."""
    devbox("up")
    return devbox


def test_a_port_at_run_time_lasts_until_it_is_removed_or_halt(running: Devbox) -> None:
    echo(running, 5173)
    where = running("port", "5173:0").stdout.strip()
    port = int(where.rpartition(":")[2])
    assert where == f"127.0.0.1:{port}"
    assert asked(port, b"x") == b"x"
    again = running.json("port", "5173")
    assert (again["changed"], again["ports"][0]["host_port"]) == (False, port)
    assert [one["name"] for one in running.json("status")["ports"]] == ["5173"]
    assert running.json("port", "--remove", "5173")["changed"]
    assert not running.json("port", "--remove", "5173")["changed"]
    assert running("port", "--remove", "5173").stdout == "no port is called 5173; there is none\n"
    assert processes(running.hash) == []
    running("port", "5173:0")
    running("halt")
    running("up")
    assert running.json("port")["ports"] == []


def test_a_port_at_run_time_stays_when_declared_ones_change_or_the_supervisor_is_killed(
    running: Devbox,
) -> None:
    port = int(running("port", "5173:0").stdout.rpartition(":")[2])
    write(running, "[ports]\nweb = { guest = 8000, host = 0 }\n")
    running("up")
    assert {one["name"] for one in running.json("port")["ports"]} == {"5173", "web"}
    (pid,) = processes(running.hash)
    subprocess.run(["kill", "-9", str(pid)], check=True)
    assert host_port(running, "5173") == port


def test_a_taken_port_is_the_next_and_said(running: Devbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        done = running("port", f"8000:{taken}")
    assert int(done.stdout.rpartition(":")[2]) > taken
    assert f"since {taken} is taken on this host by" in done.stderr


def test_a_declared_port_cannot_be_removed_and_can_be_had_twice(devbox: Devbox) -> None:
    write(devbox, "[ports]\nweb = { guest = 8000, host = 0 }\n")
    devbox("up")
    refused = devbox("port", "--remove", "web", status=2)
    assert "stands in devbox.toml" in refused.stderr
    second = devbox.json("port", "web:0")["ports"][0]
    echo(devbox, 8000)
    assert asked(second["host_port"], b"x") == asked(host_port(devbox, "web"), b"x") == b"x"


def test_bad_input_says_what_to_write(devbox: Devbox) -> None:
    write(devbox, "[ports]\nweb = { guest = 8000, host = 0 }\n")
    devbox("up")
    before = devbox.json("port")
    for words, expected in {
        ("wob",): "did you mean: devbox port web",
        ("nothing-like-it",): "no port is called",
        ("99999",): "not a port",
        ("8000:x",): "not a port of this host",
        ("8000/sctp",): "write /tcp or /udp",
        ("--remove",): "devbox port --remove 8000",
        ("--watch", "8000"): "--watch stands alone",
    }.items():
        assert expected in devbox("port", *words, status=2).stderr
    assert devbox.json("port") == before


def test_of_what_does_not_run_it_says_so(devbox: Devbox) -> None:
    for words in (("port",), ("port", "8000"), ("port", "--watch"), ("port", "--remove", "8000")):
        assert "devbox up" in devbox(*words, status=1).stderr


def test_watching_shows_what_listens_and_forwards_nothing(running: Devbox) -> None:
    command = [running.account.python, "-m", "devbox", "port", "--watch"]
    with subprocess.Popen(
        command,
        cwd=running.directory,
        env=running.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watcher:
        assert watcher.stdout
        assert watcher.stdout.readline() == "nothing listens inside\n"
        echo(running, 5173)
        assert watcher.stdout.readline() == "5173/tcp listens inside; to forward it: devbox port 5173\n"
        assert processes(running.hash) == []
        where = running("port", "5173:0").stdout.strip()
        assert watcher.stdout.readline() == f"5173/tcp listens inside; http://{where} leads to it\n"
        watcher.send_signal(signal.SIGINT)
        assert watcher.communicate(timeout=PATIENCE) == ("", "")
        assert watcher.returncode == 130


def test_one_look_is_a_document(running: Devbox) -> None:
    echo(running, 5173)
    serve(running, "udp", 5353)
    for _ in range(100):
        found = running.json("port", "--watch")["listeners"]
        if len(found) == 2:
            break
    assert [(one["port"], one["protocol"], one["addresses"], one["forward"], one["command"]) for one in found] == [
        (5173, "tcp", ["127.0.0.1"], None, "devbox port 5173"),
        (5353, "udp", ["127.0.0.1"], None, "devbox port 5353/udp"),
    ]
