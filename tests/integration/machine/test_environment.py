"""`runtime = "vm"` by the command line: the same environment as a container, with a kernel and systemd of its own."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.integration.machine.conftest import inside, processes_of, state
from tests.support.command import Devbox
from tests.support.supervisors import killed, processes

pytestmark = [pytest.mark.docker, pytest.mark.vm]
SERVER = """
import socket
with socket.create_server(("127.0.0.1", 8000)) as listener:
    while True:
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nserved\\n")
        client.close()
"""
PATIENCE = 90.0  # seconds for systemd to have started everything, under emulation


def _eventually(devbox: Devbox, script: str, said: str) -> None:
    end = time.monotonic() + PATIENCE
    while (found := inside(devbox, script)) != said:
        assert time.monotonic() < end, found
        time.sleep(0.5)


def test_it_is_another_kernel_with_the_profile_inside(machine: Devbox) -> None:
    assert (
        inside(machine, "cat /proc/sys/kernel/random/boot_id")
        != Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    )
    assert inside(machine, 'echo "$WORD"; cat a.txt; echo; python3 -c "print(6 * 7)"').splitlines() == [
        "a word",
        "from the host",
        "42",
    ]
    rules = inside(machine, "cat /sys/kernel/security/lsm").split(",")
    assert not {"apparmor", "selinux", "smack", "tomoyo"} & set(rules), "they are asked, and have none"
    assert machine.json("status")["runtime"] == "vm"
    assert [
        one["runtime"] for one in machine.json("list")["environments"] if one["workspace"] == str(machine.directory)
    ] == ["vm"]


def test_its_disk_holds_what_the_container_holds(machine: Devbox) -> None:
    found = machine.json("verify")
    assert found["identical"] is True, found["comparisons"]
    assert [one["with"] for one in found["comparisons"]] == ["the container of this profile"]
    own = found["machine"]
    assert "/etc/systemd/system/devbox-agent.service" in own["added"]
    assert "/var/lib/dpkg/status" in own["changed"]
    assert not [path for path in own["changed"] if path.startswith("/usr/")], "no program of the container is another"


def test_the_root_is_as_large_as_the_profile_says(machine: Devbox) -> None:
    assert 23 * 2**30 < int(inside(machine, "df --output=size -B1 / | tail -n 1")) <= 24 * 2**30


def test_its_disk_grows_while_it_runs_and_never_shrinks(machine: Devbox) -> None:
    profile = machine.directory / "devbox.toml"
    as_it_was = profile.read_text(encoding="utf-8")
    before = inside(machine, "cat /proc/sys/kernel/random/boot_id; touch /root/kept")
    try:
        profile.write_text(re.sub('disk = ".*"', 'disk = "40 GiB"', as_it_was), encoding="utf-8")
        assert machine.json("up")["done"] == ["grew its disk"]
        assert int(inside(machine, "df --output=size -B1 / | tail -n 1")) > 38 * 2**30
        profile.write_text(re.sub('disk = ".*"', 'disk = "30 GiB"', as_it_was), encoding="utf-8")
        assert "has 40.0 GiB and does not shrink" in machine("up").stderr
    finally:
        profile.write_text(as_it_was, encoding="utf-8")
    machine("up")
    assert inside(machine, "cat /proc/sys/kernel/random/boot_id; rm /root/kept") == before


def test_pages_that_nobody_touched_are_not_filled_up_to_huge_ones(machine: Devbox) -> None:
    assert inside(machine, "cat /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none") == "0"


def test_systemd_runs_and_what_a_container_cannot_do_works(machine: Devbox) -> None:
    _eventually(machine, "systemctl is-system-running || true", "running")
    script = """
    set -e
    modprobe dummy && grep -q '^dummy ' /proc/modules
    echo 7 > /proc/sys/vm/swappiness && cat /proc/sys/vm/swappiness
    mkdir -p /mnt/t && mount -t tmpfs tmpfs /mnt/t && mountpoint -q /mnt/t && umount /mnt/t
    systemd-run --quiet --wait --unit devbox-test sh -c 'echo from a service'
    journalctl -q -u devbox-test -o cat | grep -x 'from a service'
    """
    assert machine("exec", "-u", "root", "--", "sh", "-c", script).stdout.split() == ["7", "from", "a", "service"]


def test_services_of_a_user_run_and_a_command_can_ask_for_them(machine: Devbox) -> None:
    name = inside(machine, "id -un")
    assert inside(machine, "echo ${XDG_RUNTIME_DIR-none}") == "none"
    machine("exec", "-u", "root", "--", "loginctl", "enable-linger", name)
    _eventually(machine, "systemctl --user is-system-running || true", "running")
    script = """
    set -e
    mkdir -p ~/.config/systemd/user
    echo '[Service]' > ~/.config/systemd/user/own.service
    echo 'ExecStart=sh -c "echo from a service of its user; exec sleep 1000"' >> ~/.config/systemd/user/own.service
    systemctl --user start own
    systemctl --user is-active own
    """
    assert inside(machine, script) == "active"
    said = "journalctl -q _SYSTEMD_USER_UNIT=own.service -o cat | grep 'from a service' || true"
    _eventually(machine, said, "from a service of its user")
    machine("exec", "-u", "root", "--", "loginctl", "disable-linger", name)
    _eventually(machine, "echo ${XDG_RUNTIME_DIR-none}", "none")


def test_its_console_is_shown_and_followed(machine: Devbox) -> None:
    def say(word: str) -> None:
        machine("exec", "-u", "root", "--", "sh", "-c", f"echo 'said: {word}' > /dev/console")

    say("one")
    assert "said: one" in machine("logs", "--console", "-n", "3").stdout.splitlines()
    with machine.start("logs", "--console", "-f", "-n", "3") as following:
        assert following.stdout is not None
        assert "said: one\n" in iter(following.stdout.readline, "")
        say("two")
        assert "said: two\n" in iter(following.stdout.readline, "")
        following.send_signal(signal.SIGINT)
    assert following.returncode == 130


def test_a_group_that_was_joined_is_there_for_the_next_program(machine: Devbox) -> None:
    """Its process waits already, and knows whose it will be as that user was then."""
    name = inside(machine, "id -un")

    def groups() -> list[str]:
        return machine("exec", "-u", name, "--", "id", "-G").stdout.split()

    joins = f"sleep 2; echo 'joined:x:4711:{name}' >> /etc/group"
    machine("exec", "-d", "-u", "root", "--", "sh", "-c", joins)
    assert "4711" not in groups()
    time.sleep(4)
    assert "4711" in groups()
    machine("exec", "-u", "root", "--", "sed", "-i", "/^joined:/d", "/etc/group")
    assert "4711" not in groups()


def test_what_a_machine_cannot_have_is_refused_and_nothing_happens(machine: Devbox) -> None:
    before = machine.json("status")["instance"]
    local = machine.directory / "devbox.local.toml"
    local.write_text('[[mounts]]\nsource = "."\ntarget = "/elsewhere"\n', encoding="utf-8")
    assert "a machine sees no directory of this host" in machine("up", status=3).stderr
    local.write_text('[resources]\ngpus = "all"\n', encoding="utf-8")
    try:
        machine("trust", "--yes")
        assert "devbox.local.toml:2: resources.gpus: a machine has no device" in machine("up", status=2).stderr
    finally:
        local.unlink()
    assert machine.json("status")["instance"] == before


def test_files_go_both_ways_before_a_command_ends(machine: Devbox) -> None:
    (machine.directory / "in.txt").write_text("to the machine", encoding="utf-8")
    assert inside(machine, "cat in.txt; printf back > out.txt") == "to the machine"
    assert (machine.directory / "out.txt").read_text(encoding="utf-8") == "back"


def test_a_port_answers_on_the_host(machine: Devbox) -> None:
    (machine.directory / "serve.py").write_text(SERVER, encoding="utf-8")
    machine("exec", "-d", "--", "python3", "serve.py")
    (port,) = machine.json("status")["ports"]
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port['host_port']}/", timeout=10) as answer:
                assert answer.read() == b"served\n"
                return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.5)


def test_what_is_killed_is_repaired_by_the_next_command(machine: Devbox) -> None:
    (line,) = processes_of(machine, "line_process")
    os.kill(line, signal.SIGKILL)
    assert inside(machine, "echo over another line") == "over another line"
    assert killed(processes(machine.hash)[0])
    assert inside(machine, "echo with another supervisor") == "with another supervisor"
    (machine.directory / "edited.txt").write_text("one", encoding="utf-8")
    (machine.directory / "gone.txt").write_text("one", encoding="utf-8")
    inside(machine, "echo one > both.txt; sync")
    (machine.directory / "edited.txt").write_text("another", encoding="utf-8")
    (machine.directory / "new.txt").write_text("one", encoding="utf-8")
    (machine.directory / "gone.txt").unlink()
    before = inside(machine, "echo another > both.txt; grep . *.txt")  # of which nothing is on its disk yet
    (qemu,) = processes_of(machine, "qemu")
    os.kill(qemu, signal.SIGKILL)
    while processes_of(machine, "qemu"):
        time.sleep(0.05)
    assert machine.json("status")["state"] == "broken"
    machine("up")
    here = {path.name: path.read_text(encoding="utf-8") for path in machine.directory.glob("*.txt")}
    assert {name: here.get(name) for name in ("edited.txt", "new.txt", "gone.txt", "both.txt")} == {
        **{"edited.txt": "another", "new.txt": "one", "gone.txt": None, "both.txt": "another\n"},
    }
    assert inside(machine, "grep . *.txt") == before
    assert inside(machine, "cat a.txt") == "from the host"
    assert machine("sync", "conflicts").stdout == "no conflicts\n"


def test_volumes_outlive_the_machine(machine: Devbox) -> None:
    inside(machine, "mkdir -p ~/.cache && echo kept > ~/.cache/kept; echo gone > /root-disk-only")
    before = machine.json("status")["instance"]
    machine("up", "--set", "env.WORD=another")
    assert machine.json("status")["instance"] != before
    assert inside(machine, 'cat ~/.cache/kept; ls /root-disk-only 2>/dev/null; echo "$WORD"') == "kept\nanother"
    machine("halt")
    assert not processes_of(machine)
    assert machine.json("status")["state"] == "stopped"
    assert machine("exec", "--", "true", status=125).stderr


@pytest.mark.nightly
def test_the_volumes_grow_with_their_disk(machine: Devbox) -> None:
    size = "df --output=size -B1 ~/.cache | tail -n 1"
    machine("up")
    before = int(inside(machine, f"echo kept > ~/.cache/grown; {size}"))
    machine("halt")
    (disk,) = state(machine).rglob("data.qcow2")
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", str(disk), "+8G"], check=True)
    machine("up")
    assert int(inside(machine, size)) > before + 7 * 2**30
    assert inside(machine, "cat ~/.cache/grown") == "kept"
