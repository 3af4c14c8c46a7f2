"""A machine that is kept under a name is as it was then, and nothing of the project's files is taken back with it."""

import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.machine.conftest import inside, state
from tests.support.command import Devbox
from tests.support.sync_bed import put, tree
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]
COUNTING = "n=0; while :; do n=$((n + 1)); echo $n > /dev/shm/counted; sleep 0.1; done"
BOOT = "cat /proc/sys/kernel/random/boot_id"
HOME = "ls ~/.cache"


def _shelf(devbox: Devbox) -> Path:
    return state(devbox) / "s" / devbox.hash / "snapshots"


def _equal(devbox: Devbox) -> bool:
    """Whether the project is the same here and inside."""
    devbox("sync", "flush")
    found = devbox.json("sync", "diff")["entries"]
    assert found == []
    return True


def _counted(devbox: Devbox) -> int:
    return int(inside(devbox, "cat /dev/shm/counted"))


def _killed(devbox: Devbox, point: str, *words: str) -> None:
    done = replace(devbox, variables={"DEVBOX_FAULT": f"kill:1:{point}"})(*words, status=None)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_what_ran_goes_on_where_it_was_and_the_project_stays_as_it_is_here(machine: Devbox) -> None:
    put(machine.directory, {"edited": "then", "deleted": "then", "moved/a": "then", "same": "then"})
    machine("up")
    machine("exec", "-d", "--", "sh", "-c", COUNTING)
    boot = inside(machine, f"mkdir -p ~/.cache; rm -f ~/.cache/*; echo then > ~/.cache/then; {BOOT}")
    kept = machine.json("snapshot", "save", "clean")["snapshot"]
    assert (kept["name"], kept["memory"], kept["problem"]) == ("clean", True, None)
    assert {path.stat().st_mode & 0o077 for path in _shelf(machine).rglob("*")} == {0}
    reached = _counted(machine)
    until(lambda: _counted(machine) > reached)

    put(machine.directory, {"edited": "now", "new/deep": "now"})
    (machine.directory / "deleted").unlink()
    (machine.directory / "moved").rename(machine.directory / "elsewhere")
    inside(machine, "echo now > ~/.cache/now; cd /workspaces/*; echo now > inside; rm same")
    _equal(machine)
    before = tree(machine.directory)
    assert (before["inside"], "same" in before) == (b"now\n", False)
    assert machine("snapshot", "save", "clean", status=2).stderr.startswith("· keep")

    assert machine.json("snapshot", "restore", "clean")["running"]
    assert inside(machine, f"{BOOT}; {HOME}") == f"{boot}\nthen"
    assert reached < _counted(machine) + 60
    assert abs(float(inside(machine, "date +%s.%N")) - time.time()) < 5
    assert _equal(machine)
    assert tree(machine.directory) == before
    assert [one["name"] for one in machine.json("snapshot", "list")["snapshots"]] == ["clean"]
    assert not machine.json("up")["changed"]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("point", "verb"),
    [
        ("capture a machine", "save"),
        ("machine captured", "save"),
        ("disks captured", "save"),
        ("captured machine goes on", "save"),
        ("keep snapshot", "save"),
        ("snapshot lies ready", "restore"),
        ("machine ended for a snapshot", "restore"),
        ("put snapshot back", "restore"),
        ("snapshot is to be back", "restore"),
        ("put disks back", "restore"),
        ("disks are back", "restore"),
        ("forget the way back", "restore"),
    ],
)
def test_a_command_that_is_killed_in_the_middle_costs_nothing(machine: Devbox, point: str, verb: str) -> None:
    machine("up")
    boot = inside(machine, f"mkdir -p ~/.cache; rm -f ~/.cache/*; echo then > ~/.cache/then; {BOOT}")
    machine("snapshot", "save", "whole", "--force")
    inside(machine, "echo now > ~/.cache/now")
    put(machine.directory, {"a.txt": point})
    _equal(machine)
    before = tree(machine.directory)
    _killed(machine, point, "snapshot", verb, "whole", *(["--force"] if verb == "save" else []))
    machine("up")
    decided = point in ("snapshot is to be back", "put disks back", "disks are back", "forget the way back")
    assert inside(machine, HOME).split() == (["then"] if decided else ["now", "then"])
    if decided or verb == "save":
        assert inside(machine, BOOT) == boot
    assert _equal(machine)
    assert tree(machine.directory) == before
    assert machine.json("snapshot", "restore", "whole")["running"]
    assert inside(machine, f"{BOOT}; {HOME}; cat a.txt") == f"{boot}\nthen\n{point}"
    machine("snapshot", "delete", "whole")
    assert all(one.name.isdecimal() for one in _shelf(machine).iterdir())


@pytest.mark.nightly
def test_what_was_stopped_boots_and_what_was_pushed_is_popped_once(machine: Devbox) -> None:
    machine("up")
    inside(machine, "mkdir -p ~/.cache; rm -f ~/.cache/*; echo then > ~/.cache/then")
    machine("halt")
    machine("snapshot", "push")
    machine("up")
    boot = inside(machine, f"echo now > ~/.cache/now; {BOOT}")
    machine("suspend")
    assert machine.json("snapshot", "save", "asleep")["snapshot"]["memory"]
    machine("snapshot", "pop", "--no-start", "--no-delete")
    assert (machine.json("status")["state"], machine.json("snapshot", "pop")["running"]) == ("stopped", True)
    assert inside(machine, HOME) == "then"
    assert "no snapshot was pushed" in machine("snapshot", "pop", status=2).stderr
    machine("snapshot", "restore", "asleep")
    assert inside(machine, f"{HOME}; {BOOT}") == f"now\nthen\n{boot}"
    machine("snapshot", "restore", "asleep", "--boot")
    assert inside(machine, HOME) == "now\nthen"
    assert inside(machine, BOOT) != boot
    machine("snapshot", "delete", "asleep")


@pytest.mark.nightly
def test_the_disk_below_a_snapshot_stays_and_it_fits_again_when_the_profile_is_as_it_was(machine: Devbox) -> None:
    machine("up")
    machine("snapshot", "save", "old", "--force")
    profile = machine.directory / "devbox.toml"
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace('["python3-minimal"]', '["python3-minimal", "hello"]'), encoding="utf-8")
    refused = machine("snapshot", "restore", "old", status=1)
    assert "devbox.toml or devbox.lock has changed since devbox up" in refused.stderr
    machine("up")
    refused = machine("snapshot", "restore", "old", status=1)
    assert "the snapshot old is of another image than the environment has now" in refused.stderr
    profile.write_text(text, encoding="utf-8")
    machine("up")
    machine("snapshot", "restore", "old")
    machine("snapshot", "delete", "old")
