"""Snapshots of a machine as files: whoever is killed, whatever is full or other, nothing is lost and nothing left."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.errors import MachineError, SnapshotError
from devbox.runtimes.snapshots import Wish
from devbox.runtimes.vm import saving, shelf, snapshots
from devbox.runtimes.vm.kept import needed
from devbox.vm import under
from devbox.vm.images import key
from devbox.vm.snapshot import go_on
from tests.contract.snapshots.conftest import back
from tests.fakes.qemu_program import MEMORY
from tests.support.paths import ROOT
from tests.support.snapshot_desk import PROCESSES, WORKSPACE, Desk

ATTACHED = "what both sides had"


def _files() -> dict[str, set[str]]:
    root = Path(paths.snapshots(WORKSPACE))
    return {one.name: {file.name for file in one.iterdir()} for one in root.iterdir()} if root.exists() else {}


def _status(desk: Desk) -> object:
    with desk.machine.ask() as asked:
        answer = asked.execute("query-status")
    assert isinstance(answer, dict)
    return answer["status"]


@pytest.fixture
def attached(tmp_path: Path) -> Path:
    path = tmp_path / "attached"
    path.write_text(ATTACHED)
    return path


@pytest.fixture
def kept(machine: Desk, attached: Path) -> Desk:
    """Return a machine that runs, of which "then" is kept as it was."""
    machine.start()
    machine.content = "then"
    machine.snapshots.save(Wish(name="then", attached=attached))
    machine.content = "now"
    attached.write_text("now")
    return machine


def test_nobody_else_may_read_it_and_each_disk_is_whole(kept: Desk) -> None:
    everything = {"about", "attached", "data.qcow2", "initrd", "memory", "root.qcow2", "under"}
    assert _files() == {"00000001": everything}
    root = Path(paths.snapshots(WORKSPACE))
    assert {path.stat().st_mode & 0o077 for path in (root, *root.rglob("*"))} == {0}
    assert (root / "00000001/memory").read_bytes() == MEMORY
    assert _status(kept) == "running"
    assert kept.snapshots.all()[0].size >= len(MEMORY)


def test_the_disk_below_is_needed_as_long_as_one_stands_on_it(kept: Desk) -> None:
    kept.machine.kill()
    for path in kept.directory.iterdir():
        path.unlink()
    assert needed() == {"ab" * 8}
    snapshots.delete(WORKSPACE, "then")
    assert needed() == frozenset()
    assert key("sha256:1") not in needed()


def test_what_goes_on_is_noted_to_stand_on_the_disks_as_they_are_now(kept: Desk, attached: Path) -> None:
    kept.snapshots.restore(back("then", attached))
    known = under.read(kept.directory / paths.MACHINE_SAVED)
    assert known is not None
    assert under.misfit(known, kept.machine.state, PROCESSES) is None
    assert known.version == "7.2.22 Debian 1:7.2+dfsg-7"
    kept.machine.state.unlink()  # as one does that goes on
    assert kept.snapshots.restore(back("then", attached)).running


def test_what_suspend_has_kept_is_kept_as_well(kept: Desk, attached: Path) -> None:
    saving.save(kept.machine, kept.directory)
    kept.snapshots.save(Wish(name="asleep"))
    assert kept.goes_on
    kept.machine.state.unlink()
    kept.snapshots.restore(back("asleep", attached))
    assert kept.goes_on
    os.utime(kept.machine.disk)  # so what is in memory knows another disk, and is of no use
    kept.snapshots.save(Wish(name="disks"))
    assert [one.running for one in kept.snapshots.all()] == [True, True, False]


@pytest.mark.parametrize("change", ["qemu", "image", "below", "spec", "host"])
def test_what_it_does_not_fit_any_more_is_said_and_nothing_is_touched(
    kept: Desk, attached: Path, change: str, tmp_path: Path
) -> None:
    said = {
        "qemu": "QEMU is another one now, 9.9.9 .Debian 1:7.2.dfsg-7. and not 7.2.22",
        "image": "the snapshot then is of another image",
        "below": "the disk below the snapshot then is another one now",
        "spec": "the settings of the machine are others now",
        "host": "it would be started in another way now",
    }
    if change == "qemu":
        program = tmp_path / "bin" / Desk.program()
        program.write_text(
            program.read_text().replace(
                "exec", '[ "$1" = --version ] && echo "QEMU emulator version 9.9.9 (Debian 1:7.2+dfsg-7)" && exit\nexec'
            )
        )
    elif change == "image":
        kept.stored = replace(kept.stored, image="sha256:2")
    elif change == "below":
        kept.below = "another"
    elif change == "spec":
        kept.stored = replace(kept.stored, spec_digest="another")
    else:
        at = next(iter(Path(paths.snapshots(WORKSPACE)).glob("0*"))) / "under"
        known = under.read(at)
        assert known is not None
        at.write_bytes(b"")  # its size is known
        under.write(at, replace(known, arguments="0" * len(known.arguments)))
    with pytest.raises(SnapshotError, match=said[change]) as caught:
        kept.snapshots.restore(back("then", attached, before=lambda: pytest.fail("it was given up")))
    assert kept.content == "now"
    assert kept.machine.running()
    if change in ("qemu", "spec"):
        assert caught.value.hint == "to boot from its disks: devbox snapshot restore then --boot"
        kept.snapshots.restore(back("then", attached, running=False))
        assert (kept.content, kept.goes_on) == ("then", False)


@pytest.mark.parametrize("name", ["root.qcow2", "memory", "about"])
def test_a_file_that_is_gone_is_a_damage_that_is_seen_in_the_list(kept: Desk, attached: Path, name: str) -> None:
    (Path(paths.snapshots(WORKSPACE)) / "00000001" / name).unlink()
    (found,) = kept.snapshots.all()
    assert found.problem == ("nothing says what it is" if name == "about" else f"{name} is not what was saved")
    with pytest.raises(SnapshotError, match=f"the snapshot {found.name} is damaged: {found.problem}"):
        kept.snapshots.restore(back(found.name, attached))
    kept.snapshots.delete(found.name)
    assert kept.snapshots.all() == ()


@pytest.mark.parametrize("verb", ["save", "restore"])
def test_a_disk_that_is_full_costs_nothing(
    kept: Desk, attached: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half of ")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(snapshots, "copy", full)
    tries = {
        "save": lambda: kept.snapshots.save(Wish(name="more")),
        "restore": lambda: kept.snapshots.restore(
            back("then", attached, before=lambda: pytest.fail("it was given up"))
        ),
    }
    with pytest.raises(SnapshotError, match="no space left on device") as caught:
        tries[verb]()
    assert caught.value.hint is not None
    assert "make room" in caught.value.hint
    assert set(_files()) == {"00000001"}
    assert kept.content == "now"
    assert _status(kept) == "running"


def test_what_is_in_memory_and_cannot_be_written_costs_nothing(kept: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.vm.snapshot._finish", _fails)
    with pytest.raises(MachineError, match="could not be carried over"):
        kept.snapshots.save(Wish(name="more"))
    assert set(_files()) == {"00000001"}
    assert _status(kept) == "running"


def _fails(asked: object) -> None:
    raise MachineError("the state of the machine could not be carried over")


def _program(verb: str, name: str, attached: Path, fault: str) -> int:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DEVBOX_FAULT": fault}
    argv = [sys.executable, "-m", "tests.support.snapshot_desk", verb, name, str(attached)]
    return subprocess.run(argv, env=env, cwd=ROOT, timeout=60).returncode


def _points(verb: str, name: str, attached: Path) -> Iterator[int]:
    """Kill the same command at each of its points, one after another; yield after each, until it came to its end."""
    number = 1
    while (code := _program(verb, name, attached, f"{number}:kill")) == -signal.SIGKILL:
        yield number
        number += 1
    assert code == 0
    assert number > {"save": 6, "restore": 6, "delete": 2}[verb]


@pytest.mark.long
def test_a_save_that_is_killed_leaves_the_old_one_or_the_new_one(kept: Desk, attached: Path) -> None:
    for _ in _points("save", "then", attached):
        assert kept.machine.running()
        go_on(kept.machine)
        assert _status(kept) == "running"
        (found,) = kept.snapshots.all()
        kept.snapshots.restore(back("then", attached, running=False))
        assert (found.problem, kept.content) == ("", "then")
        kept.start()
    kept.snapshots.save(Wish(name="other"))
    assert len(_files()) == 2


@pytest.mark.long
def test_a_restore_that_is_killed_is_none_or_is_carried_out_when_it_starts(
    kept: Desk, attached: Path, tmp_path: Path
) -> None:
    seen = set()
    for _ in _points("restore", "then", attached):
        ran = kept.machine.running()
        kept.snapshots.finish()
        assert kept.content in ("now", "then")
        seen.add((kept.content, ran))
        if kept.content == "then":
            assert kept.goes_on
            assert attached.read_text() == ATTACHED
            known = under.read(kept.directory / paths.MACHINE_SAVED)
            assert known is not None
            assert under.misfit(known, kept.machine.state, PROCESSES) is None
        else:
            assert not kept.goes_on
        kept.stop()
        kept.machine.state.unlink(missing_ok=True)
        kept.content = "now"
        attached.write_text("now")
        kept.start()
    assert seen == {("now", True), ("now", False), ("then", False)}
    assert kept.content == "then"
    assert set(_files()) == {"00000001"}


def test_of_a_machine_that_was_made_anew_meanwhile_only_the_volumes_come_back(kept: Desk, attached: Path) -> None:
    assert _program("restore", "then", attached, "kill:1:snapshot is to be back") == -signal.SIGKILL
    kept.stored = replace(kept.stored, image="sha256:2")
    kept.snapshots.finish()
    assert kept.machine.disk.read_bytes().endswith(b"|now")
    assert kept.data.read_bytes().endswith(b"|then")
    assert not kept.goes_on
    assert set(_files()) == {"00000001"}


def test_one_that_is_killed_as_it_is_taken_away_is_there_or_gone(kept: Desk, attached: Path) -> None:
    kept.snapshots.save(Wish(name="other"))
    for number in _points("delete", "then", attached):
        names = [one.name for one in kept.snapshots.all()]
        assert names == (["then", "other"] if number == 1 else ["other"])
        if number > 1:
            kept.snapshots.save(Wish(name="then"))
    assert [one.name for one in kept.snapshots.all()] == ["other"]
    assert shelf.shelf_of(WORKSPACE).root.exists()
    snapshots.clear(WORKSPACE)
    assert not shelf.shelf_of(WORKSPACE).root.exists()
