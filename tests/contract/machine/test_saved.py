"""What was saved and cannot go on: for a reason that passes it is kept, for any other the machine boots."""

import json
from pathlib import Path

import pytest

from devbox.errors import MachineError, RuntimeUnavailableError
from devbox.reporter import SilentReporter
from devbox.runtimes.vm import saving
from devbox.vm.machine import Machine
from tests.contract.snapshots.conftest import machine as machine
from tests.support.snapshot_desk import PROCESSES, Desk


@pytest.fixture
def saved(machine: Desk) -> Desk:
    machine.start()
    saving.save(machine.machine, machine.directory)
    assert machine.goes_on
    return machine


def _resumed(desk: Desk) -> bool:
    return saving.resumed(desk.machine, desk.directory, SilentReporter(), PROCESSES, lambda: None)


def test_it_goes_on_once(saved: Desk) -> None:
    assert _resumed(saved)
    assert saved.machine.running()
    saved.stop()
    assert not _resumed(saved)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"exit": 1, "say": "cannot set up guest memory: Cannot allocate memory"}, "ended by itself"),
        ({"killed": "migrate-incoming"}, "QEMU was killed while it read what was saved"),
    ],
)
def test_what_cannot_go_on_now_is_kept_for_later(
    saved: Desk, monkeypatch: pytest.MonkeyPatch, how: dict[str, object], why: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", json.dumps(how))
    with pytest.raises(MachineError, match=f"what was saved of it is kept: .*{why}") as caught:
        _resumed(saved)
    assert "devbox resume, when that has passed" in (caught.value.hint or "")
    assert not saved.machine.running()
    monkeypatch.setenv("FAKE_QEMU", "{}")
    assert _resumed(saved)


def test_without_qemu_it_is_kept(saved: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        with pytest.raises(RuntimeUnavailableError):
            _resumed(saved)
    assert _resumed(saved)


def test_what_never_can_boots(saved: Desk) -> None:
    saved.machine.disk.touch()
    assert not _resumed(saved)


def test_a_qemu_that_ended_by_itself_was_not_killed(saved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", json.dumps({"deaf": [], "exit": 1}))
    with pytest.raises(MachineError):
        saved.machine.start(saved.spec)
    assert not Machine(saved.directory, PROCESSES).was_killed()
