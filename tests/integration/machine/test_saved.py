"""What runs in a machine, saved by `halt --save` or `suspend`: it goes on once, and if it cannot, nothing is lost."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from tests.integration.machine.conftest import inside, machines, processes_of
from tests.support.command import Devbox
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]
COUNTING = "n=0; while :; do n=$((n + 1)); echo $n > /dev/shm/counted; sleep 0.1; done"
SKEW = 1.0  # seconds that the clock inside may be off, on a host that is busy
BOOT = "cat /proc/sys/kernel/random/boot_id"


def _state(devbox: Devbox) -> Path:
    (directory,) = machines(devbox)
    return directory / paths.MACHINE_STATE


def _counted(devbox: Devbox) -> int:
    return int(inside(devbox, "cat /dev/shm/counted") or "0")


def _knows_the_time(devbox: Devbox) -> bool:
    before = time.time()
    said = float(inside(devbox, "date +%s.%N"))
    return before - SKEW < said < time.time() + SKEW


def _kill_qemu(devbox: Devbox) -> None:
    (qemu,) = processes_of(devbox, "qemu")
    os.kill(qemu, signal.SIGKILL)
    until(lambda: not processes_of(devbox, "qemu"))


def _killed(devbox: Devbox, point: str, *words: str) -> None:
    done = replace(devbox, variables={"DEVBOX_FAULT": f"kill:1:{point}"})(*words, status=None)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_what_runs_and_what_is_in_memory_alone_goes_on_and_knows_the_time(machine: Devbox) -> None:
    machine("up")
    machine("exec", "-d", "--", "sh", "-c", COUNTING)
    until(lambda: inside(machine, "ls /dev/shm") != "")
    boot = inside(machine, f"echo kept > /dev/shm/kept; {BOOT}")
    machine("halt", "--save")
    assert not processes_of(machine)
    assert _state(machine).stat().st_mode & 0o777 == 0o600
    status = machine.json("status")
    assert (status["state"], status["saved"], machine.json("halt")["changed"]) == ("stopped", True, False)
    (machine.directory / "meanwhile.txt").write_text("written here", encoding="utf-8")
    time.sleep(3)

    assert machine.json("up")["changed"]
    assert not _state(machine).exists()
    assert inside(machine, f"{BOOT}; cat /dev/shm/kept meanwhile.txt") == f"{boot}\nkept\nwritten here"
    reached = _counted(machine)
    until(lambda: _counted(machine) > reached)
    assert _knows_the_time(machine)
    assert not machine.json("up")["changed"]


def test_a_qemu_that_is_killed_after_it_went_on_boots_and_has_lost_nothing(machine: Devbox) -> None:
    machine("up")
    before = inside(machine, f"mkdir -p ~/.cache; echo kept > ~/.cache/before; {BOOT}")
    machine("suspend", machine.hash)
    assert "it was saved" in machine("resume", "-v", machine.hash).stderr
    assert inside(machine, f"echo kept > ~/.cache/after; sync; {BOOT}") == before
    _kill_qemu(machine)
    machine("up")
    assert inside(machine, "cat ~/.cache/before ~/.cache/after a.txt") == "kept\nkept\nfrom the host"
    assert inside(machine, BOOT) != before
    assert not _state(machine).exists()


@pytest.mark.nightly
def test_a_disk_that_changed_meanwhile_is_booted_from_and_that_is_said_once(machine: Devbox) -> None:
    machine("up")
    before = inside(machine, f"mkdir -p ~/.cache; echo kept > ~/.cache/other; {BOOT}")
    machine("suspend")
    disk = _state(machine).with_name(paths.MACHINE_DISK)
    os.utime(disk)
    assert f"{disk} has changed since" in machine("resume").stderr
    assert not _state(machine).exists()
    assert inside(machine, "cat ~/.cache/other") == "kept"
    assert inside(machine, BOOT) != before
    machine("halt")
    refused = machine("resume", status=1)
    assert "is saved: it is stopped" in refused.stderr


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("save a machine", ("suspend",)),
        ("machine written", ("suspend",)),
        ("machine saved", ("suspend",)),
        ("resume a machine", ("resume",)),
        ("machine read", ("resume",)),
        ("saved machine used up", ("resume",)),
        ("machine resumed", ("resume",)),
    ],
)
def test_a_command_that_is_killed_in_the_middle_costs_nothing_that_ran(
    machine: Devbox, point: str, words: tuple[str, ...]
) -> None:
    machine("up")
    before = inside(machine, BOOT)
    if words == ("resume",):
        machine("suspend")
    _killed(machine, point, *words)
    machine("up")
    assert inside(machine, BOOT) == before
    assert _knows_the_time(machine)
    assert not _state(machine).exists()
    assert not _state(machine).with_name(f"{paths.MACHINE_STATE}.new").exists()
