"""Two virtual machines of one project: they find each other by name, and again after one of them has been away."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox import paths
from devbox.values import workspace_hash
from tests.integration.machine.conftest import SMALLEST, beside, inside, machines, processes_of, state
from tests.support.account import ordinary
from tests.support.command import Devbox
from tests.support.strangers import knocked

pytestmark = pytest.mark.vm
KEPT_READY = SMALLEST.replace("vm.ready = false\n", "")
PROFILE = f'name = "pair"\n{KEPT_READY}\n[machines.worker]\n'
SERVE = """import socket
door = socket.create_server(("0.0.0.0", 8123))
while True:
    client, _ = door.accept()
    try:
        client.sendall(socket.gethostname().encode())
    except OSError:
        pass
    client.close()
"""
ASK = """import socket, sys, time
end = time.time() + 30
while True:
    try:
        client = socket.create_connection((sys.argv[1], 8123), timeout=5)
        print(client.recv(100).decode(), client.getpeername()[0])
        break
    except OSError:
        if time.time() > end:
            raise
        time.sleep(0.3)
"""


@pytest.fixture(scope="module")
def pair(smallest: Devbox) -> Iterator[Devbox]:
    """A project whose two machines run; the worker serves."""
    with beside(smallest, "pair") as found:
        for name, text in (("devbox.toml", PROFILE), ("serve.py", SERVE), ("ask.py", ASK)):
            (found.directory / name).write_text(text, encoding="utf-8")
        found("up")
        _serve(found)
        yield found
        found("destroy", "-f")
        assert not [*processes_of(found), *_of_worker(found)], "QEMU, its line or its wire was left"
        assert not list(machines(found)), "the directory of a machine was left"
        assert not (state(found) / "s" / found.hash / "net").exists(), "a socket was left"


def _serve(pair: Devbox) -> None:
    pair("exec", "-d", "-m", "worker", "--", "python3", "serve.py")


def _asked(pair: Devbox, name: str = "worker") -> str:
    who, address = inside(pair, f"python3 ask.py {name}").split()
    assert address.startswith("198.19.")
    return who


def test_each_finds_the_other_by_name(pair: Devbox) -> None:
    assert _asked(pair) == "worker"
    assert "pair" in pair("exec", "-m", "worker", "--", "cat", "/etc/hosts").stdout
    assert [one["state"] for one in pair.json("status")["machines"]] == ["running"]
    assert pair("up").stdout == "nothing to do\n"


def test_another_user_of_the_host_is_on_no_wire(pair: Devbox) -> None:
    places = (state(pair) / "s" / pair.hash / "net").iterdir()
    doors = [*(one / paths.MACHINE_WIRE for one in machines(pair)), *(one for one in places if one.is_socket())]
    assert len(doors) == 4
    assert all(door.is_socket() for door in doors)
    assert knocked(ordinary(), *doors) == ["PermissionError"] * len(doors)


def test_a_wire_that_was_killed_is_there_again_with_the_next_command(pair: Devbox) -> None:
    for wire in processes_of(pair, "wire_process"):
        os.kill(wire, signal.SIGKILL)
    pair("status")
    assert _asked(pair) == "worker"


def test_one_that_was_killed_or_stopped_is_found_again(pair: Devbox) -> None:
    (qemu,) = _of_worker(pair, "qemu-system")
    os.kill(qemu, signal.SIGKILL)
    while _of_worker(pair, "qemu-system"):
        time.sleep(0.05)
    pair("up")
    _serve(pair)
    assert _asked(pair) == "worker"
    pair("suspend")
    assert not processes_of(pair)
    assert not _of_worker(pair)
    pair("resume")
    assert _asked(pair) == "worker"  # what served goes on


def _of_worker(pair: Devbox, word: str = "") -> list[int]:
    """Return the processes of the worker, by the name of its Instance, that have `word` in their command."""
    own = f"-worker-{workspace_hash(str(pair.directory), 'worker')}"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if own in command and word in command:
                found.append(int(process.name))
    return found


def test_a_project_of_both_kinds_is_told_that_they_do_not_reach_each_other(pair: Devbox) -> None:
    mixed = PROFILE + 'runtime = "container"\n'
    (pair.directory / "devbox.toml").write_text(mixed, encoding="utf-8")
    said = pair("up").stderr
    assert "containers and virtual machines of this project do not reach each other by name" in said
    assert [one["runtime"] for one in pair.json("status")["machines"]] == ["container"]
