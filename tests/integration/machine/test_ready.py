"""New machines of one image go on from where the first had booted to: each is one of its own, and none boots."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.runtimes.vm.newborn import NOBODY
from tests.integration.machine.conftest import PROFILE, Born, inside, machines, processes_of
from tests.support.command import Devbox, sweep

pytestmark = [pytest.mark.docker, pytest.mark.vm]
FIRST = "boot the first machine of this image"
BOOT = "cat /proc/sys/kernel/random/boot_id"
SKEW = 5.0  # seconds that the clock inside may be off, on a host that is busy
OWN = "uname -n; cat /etc/machine-id /sys/class/net/eth0/address; tail -n 1 /etc/hosts; od -An -tx1 -N16 /dev/urandom"


@contextmanager
def project_beside(machine: Devbox, name: str) -> Iterator[Devbox]:
    """Make another project of the same user, so that what was kept of its image is at hand."""
    directory = machine.directory.parent / name
    directory.mkdir()
    (directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
    (directory / "a.txt").write_text(name, encoding="utf-8")
    found = replace(machine, directory=directory)
    try:
        yield found
        found("destroy", "-f")
        assert not processes_of(replace(found, home=Path("/nowhere")))
    finally:
        found("destroy", "-f", status=None)
        sweep(found.hash)
        shutil.rmtree(directory)  # another test may use the same name


def _kept(machine: Devbox) -> list[Path]:
    return [one.parent for one in (machine.home / ".cache/devbox/vm").glob("*/ready-*/under")]


def test_two_that_go_on_from_the_same_boot_are_not_the_same_machine(born: Born) -> None:
    machine = born.devbox
    assert "boots as ever" not in born.said, born.said
    with project_beside(machine, "one") as one, project_beside(machine, "other") as other:
        for devbox in (one, other):
            said = devbox("up").stderr
            assert "boots as ever" not in said, said
            assert FIRST not in said, said
        assert inside(one, BOOT) == inside(other, BOOT), "neither of them has booted"
        for first, second in zip(inside(one, OWN).splitlines(), inside(other, OWN).splitlines(), strict=True):
            assert first != second
        assert inside(one, "uname -n; cat /etc/hostname; cat a.txt; echo; echo $WORD").split("\n") == [
            *("one", "one", "one", "a word")
        ]
        assert abs(float(inside(one, "date +%s.%N")) - time.time()) < SKEW
        assert one("exec", "-u", "root", "--", "systemctl", "is-system-running").stdout.strip() == "running"
        assert inside(other, "getent hosts other").split()[0] == "10.0.2.15"
        assert [inside(devbox, "ls /workspaces") for devbox in (one, other)] == ["one", "other"]


def test_the_journal_of_the_boot_is_that_of_the_machine_and_stays_so_when_it_boots(machine: Devbox) -> None:
    with project_beside(machine, "third") as devbox:
        devbox("up")
        known = "journalctl --flush; journalctl --no-pager -o cat"
        end = time.monotonic() + 60
        writes = "logger said afterwards || echo said afterwards > /dev/kmsg; echo said at the console > /dev/console"
        devbox("exec", "-u", "root", "--", "sh", "-c", writes)
        while "said afterwards" not in (said := devbox("exec", "-u", "root", "--", "sh", "-c", known).stdout):
            assert time.monotonic() < end, said
            time.sleep(0.5)
        assert "Linux version" in said
        assert inside(devbox, "cd /var/log/journal; ls -d $(cat /etc/machine-id)")
        machine_id = inside(devbox, "cat /etc/machine-id")
        devbox("halt")
        assert "said at the console" in devbox("logs", "--console").stdout.splitlines()
        assert "emulated" not in devbox("up").stderr, "the first machine has said it"
        assert inside(devbox, "cat /etc/machine-id") == machine_id
        assert "said afterwards" in devbox("exec", "-u", "root", "--", "journalctl", "--no-pager", "-o", "cat").stdout


def test_one_that_is_killed_before_it_was_told_who_it_is_is_made_anew(machine: Devbox) -> None:
    with project_beside(machine, "killed") as devbox:
        done = replace(devbox, variables={"DEVBOX_FAULT": "kill:1:somebody was born"})("up", status=None)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert [one for one in machines(devbox) if (one / NOBODY).exists()]
        assert devbox("exec", "--", "true", status=125).stderr
        assert devbox.json("up")["changed"]
        assert not [one for one in machines(devbox) if (one / NOBODY).exists()]
        assert inside(devbox, "cat a.txt") == "killed"


@pytest.mark.nightly
@pytest.mark.parametrize(
    "point", ["nobody has booted", "machine written", "keep a ready machine", "ready machine kept"]
)
@pytest.mark.parametrize("then", ["up", "destroy"])
def test_a_kill_while_the_first_is_kept_costs_only_its_time(machine: Devbox, point: str, then: str) -> None:
    for kept in _kept(machine):
        (kept / "under").unlink()
    with project_beside(machine, "first") as devbox:
        done = replace(devbox, variables={"DEVBOX_FAULT": f"kill:1:{point}"})("up", status=None)
        assert done.returncode == -signal.SIGKILL, done.stderr
        if then == "destroy":
            devbox("destroy", "-f")
            return
        devbox("up")
        assert inside(devbox, "uname -n; cat a.txt") == "first\nfirst"
        assert _kept(machine)
        assert not [one for kept in _kept(machine) for one in kept.parent.glob("making-ready-*")]


@pytest.mark.nightly
def test_what_was_kept_and_is_damaged_is_said_once_and_made_anew(machine: Devbox) -> None:
    with project_beside(machine, "damaged") as devbox:
        devbox("up")  # whatever the tests before have left: now one is kept
        devbox("destroy", "-f")
        for kept in _kept(machine):
            (kept / "state").write_bytes(b"no state")
        assert "boots as ever: what was kept of its image cannot go on" in devbox("up").stderr
        assert inside(devbox, "cat a.txt") == "damaged"
        devbox("destroy", "-f")
        assert FIRST in devbox("up").stderr
        devbox("destroy", "-f")
        assert FIRST not in devbox("up").stderr


@pytest.mark.nightly
def test_it_boots_if_its_profile_says_so(machine: Devbox) -> None:
    with project_beside(machine, "booted") as devbox:
        (devbox.directory / "devbox.toml").write_text(f"{PROFILE}\n[vm]\nready = false\n", encoding="utf-8")
        devbox("up")
        before = inside(devbox, BOOT)
        devbox("destroy", "-f")
        devbox("up")
        assert inside(devbox, BOOT) != before


def test_nobody_else_comes_to_what_is_kept_of_an_image(machine: Devbox) -> None:
    """QEMU, which is another user where devbox is root, is given each of them by a descriptor."""
    found = _kept(machine)
    assert found
    assert not [one for kept in found for one in (kept, kept.parent.parent) if one.stat().st_mode & 0o077]
