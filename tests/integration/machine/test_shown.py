"""What is promised of a machine beside that it runs: who gets in and how, what is kept of it, what its user is told."""

import errno
import json
import os
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from tests.integration.machine.conftest import PROFILE, TELLING, Born, inside, machines, processes_of, state
from tests.integration.machine.test_ready import FIRST, project_beside
from tests.support.account import invoker, ordinary
from tests.support.command import Devbox
from tests.support.paths import COLD, HOT, OnePath, Traveller
from tests.support.searched import found_in
from tests.support.ssh_client import Client, require
from tests.support.strangers import knocked, listening
from tests.support.supervisors import processes
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]
MIB = 1 << 20
EMULATED = "the machine is emulated, and so several times slower: "
TELLING_VARIABLE = "bilge-4d1c-otter-of-the-profile"  # conftest's PROFILE
SECRET = "walrus-7e02-key-of-the-host"
SERVED = b"of the host"
GATEWAY, NAME_SERVER, OWN, LOOPBACK = "10.0.2.2", "10.0.2.3", "10.0.2.15", "127.0.0.1"
LOOPBACKS = ("0100007F", "00000000000000000000000001000000")  # IPv4's and IPv6's, as the kernel's tables have them
PROBE = f"""import select, socket, sys, time
port, *addresses = sys.argv[1:]
asked = {{}}
for address in addresses:
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((address, int(port)))
    asked[one] = address
end = time.monotonic() + 1
while asked and time.monotonic() < end:
    for one in select.select(list(asked), [], [], max(0, end - time.monotonic()))[0]:
        address = asked.pop(one)
        try:
            said = one.recv({len(SERVED)})
        except OSError:
            continue
        if said:
            print(address, said.decode())
"""
DOORS = """import os, socket, sys
def tried(path, way):
    try:
        way(path)
        print(path, 0)
    except OSError as error:
        print(path, error.errno)
for path in sys.argv[1:]:
    if path.startswith("/dev/"):
        tried(path, lambda path: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)))
    else:
        tried(path, socket.socket(socket.AF_UNIX).connect)
tried("/run/devbox", os.listdir)
"""


@pytest.fixture(scope="module", autouse=True)
def _runs(machine: Devbox) -> None:
    machine("up")


@pytest.fixture
def ssh(machine: Devbox, tmp_path: Path) -> Client:
    require("ssh", "openssh-client")
    (tmp_path / "entry").write_text(machine("ssh-config", "--host", "shop").stdout, encoding="utf-8")
    return Client(config=tmp_path / "entry", host="shop", env=machine.environment)


@contextmanager
def serving() -> Iterator[int]:
    """Have a server on a port of this host's loopback, that says what it is."""

    def serve() -> None:
        while True:
            try:
                client = server.accept()[0]
            except OSError:
                return
            with client:
                client.sendall(SERVED)

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_the_processors_and_the_memory_are_those_of_the_profile(machine: Devbox) -> None:
    processors, memory = inside(machine, "nproc; sed -n 's/^MemTotal: *//p' /proc/meminfo").splitlines()
    assert processors == "1"
    assert 560 * MIB < int(memory.split()[0]) * 1024 <= 640 * MIB  # less what the kernel keeps for itself


def test_plain_ssh_gets_in_and_opens_one_port_of_the_hosts_loopback_for_as_long_as_it_lasts(
    machine: Devbox, ssh: Client
) -> None:
    require("passt", "passt")
    done = ssh('pwd; echo "$WORD"; exit 7', status=7, timeout=120)
    assert (done.stdout, done.stderr) == (b"/workspaces/a project\na word\n", b"")
    with serving() as port:
        probe = shlex.join(["python3", "-c", PROBE, str(port)])
        everywhere = f"{probe} {LOOPBACK} {GATEWAY} {NAME_SERVER} {OWN}"
        assert inside(machine, everywhere) == ""
        arp = [line.split() for line in inside(machine, "cat /proc/net/arp").splitlines()]
        assert [GATEWAY, "0x2"] in [[row[0], row[2]] for row in arp], "its gateway was there to be asked"
        opened = ("-o", "ExitOnForwardFailure=yes", "-R", f"{port}:{LOOPBACK}:{port}")
        during = ssh(*opened, "HOST", everywhere, timeout=120)
        assert during.stdout.decode() == f"{LOOPBACK} {SERVED.decode()}\n", during.stderr
        until(lambda: inside(machine, f"{probe} {LOOPBACK}") == "")  # the agent hears a moment later that it has ended


@pytest.mark.parametrize("path", [HOT, COLD], ids=lambda path: path.name)
def test_a_command_goes_in_on_either_path(machine: Devbox, path: OnePath) -> None:
    devbox = Traveller(devbox=machine, path=path)
    data = os.urandom(MIB // 4)
    done = devbox("exec", "--", "sh", "-c", "cat; echo err >&2; exit 7", stdin=data)
    assert (done.returncode, done.stdout, done.stderr) == (7, data, b"err\n")
    (machine.directory / "edited.txt").write_text(f"edited before the {path.name} path", encoding="utf-8")
    script = 'id -u; pwd; echo "$A|$WORD"; cat "$0"'
    edited = "/workspaces/a project/edited.txt"
    done = devbox("exec", "-u", "nobody", "-w", "/tmp", "-e", "A=b c", "--", "sh", "-c", script, edited)
    assert done.stdout.decode() == f"65534\n/tmp\nb c|a word\nedited before the {path.name} path"
    ends = f"trap 'echo got it; exit 3' {signal.SIGTERM.value}; echo ready; while :; do sleep 0.05; done"
    with devbox.start("exec", "--", "sh", "-c", ends, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"got it\n"
    assert process.returncode == 3


def _kept(machine: Devbox) -> list[Path]:
    found = [one.parent for one in (machine.home / ".cache/devbox/vm").glob("*/ready-*/under")]
    assert found
    return found


def _in_what_is_kept(machine: Devbox, *more: str) -> set[tuple[str, bytes]]:
    """Return what stands in what is kept of the image and should not: what a project holds, and `more`.

    Only `under` is not looked into: no machine sees it, and it says of which one devbox has kept this.
    """
    known = (TELLING_VARIABLE, TELLING[1])
    wanted = tuple(word.encode() for word in (*known, *more))
    found: set[tuple[str, bytes]] = set()
    for place in _kept(machine):
        assert found_in(place / "memory", (b"Linux version ",)), "what is there is not found"
        assert {"memory", "state", "root.qcow2", "data.qcow2", "initrd"} <= {one.name for one in place.iterdir()}
        for name in {one.name for one in place.iterdir()} - {"under"}:
            found |= {(name, word) for word in found_in(place / name, wanted)}
    return found


def test_what_is_kept_of_an_image_has_nothing_of_the_project_that_booted_it_first(machine: Devbox) -> None:
    """But for the name of its directory, which is where its volume is mounted: decision 38."""
    assert _in_what_is_kept(machine) == set()
    inside(machine, "sync")
    own = state(machine) / "s" / machine.hash / "data.qcow2"
    assert found_in(own, (TELLING[1].encode(),)), "the disk of its volumes has it"


@pytest.mark.nightly
def test_what_is_kept_of_an_image_has_no_secret_of_the_project_that_booted_it_first(machine: Devbox) -> None:
    profile = PROFILE.replace("640 MiB", "656 MiB") + '\n[secrets]\nTOKEN = { env = "GIVEN" }\n'
    with project_beside(machine, "secretive") as beside:
        devbox = replace(beside, variables={"GIVEN": SECRET})
        (devbox.directory / "devbox.toml").write_text(profile, encoding="utf-8")
        devbox("trust", "--yes")
        before = len(_kept(machine))
        assert FIRST in devbox("up").stderr
        assert devbox("shell", "--", "printenv", "TOKEN").stdout == f"{SECRET}\n"
        assert len(_kept(machine)) > before
        assert _in_what_is_kept(machine, SECRET) == set()


def test_its_processes_listen_on_loopback_alone_and_only_where_the_profile_says(machine: Devbox) -> None:
    own = processes_of(machine)
    for kind in ("qemu-system", "passt", "ring.py", "line_process"):
        assert processes_of(machine, kind), f"no {kind}"
    (port,) = machine.json("status")["ports"]
    assert listening([*own, *processes(machine.hash)]) == {(one, port["host_port"]) for one in LOOPBACKS}


def test_another_user_of_the_host_comes_to_none_of_its_sockets(machine: Devbox) -> None:
    (own,) = machines(machine)
    place = state(machine) / "s" / machine.hash
    agent = place / "agent" / paths.AGENT_SOCKET
    doors = [agent, own / paths.MACHINE_LINE, own / paths.MACHINE_CONTROL, place / "supervisor.sock"]
    assert all(door.is_socket() for door in doors)
    assert knocked(invoker(), agent) == ["connected"]
    assert knocked(ordinary(), *doors) == ["PermissionError"] * len(doors)


def test_an_ordinary_user_inside_comes_neither_to_the_port_nor_to_the_agents_socket(machine: Devbox) -> None:
    asked = "find /dev -name 'vport*'; find /dev/virtio-ports -mindepth 1; find /run/devbox -type s"
    doors = machine("exec", "-u", "root", "--", "sh", "-c", asked).stdout.split()
    assert [door for door in doors if door.startswith("/dev/vport")]
    said = machine("exec", "-u", "nobody", "--", "python3", "-c", DOORS, *doors).stdout.splitlines()
    assert said == [f"{door} {errno.EACCES}" for door in (*doors, "/run/devbox")]


def test_how_a_machine_is_run_is_said_once_with_why(born: Born) -> None:
    """Once for each boot of the host; test_ready sees that other machines, and other starts, do not say it again."""
    (verdict,) = (born.devbox.home / ".cache/devbox/vm").glob("acceleration-*.json")
    if json.loads(verdict.read_text(encoding="utf-8"))["name"] != "tcg":
        assert EMULATED not in born.said
        return
    assert born.said.count(EMULATED) == 1
    why = born.said.partition(EMULATED)[2].splitlines()[0]
    assert "/dev/kvm" in why or "KVM can be opened, but no kernel starts on it" in why
