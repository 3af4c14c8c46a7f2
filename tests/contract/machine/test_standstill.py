"""A machine that stands still, since its disk cannot grow, with a QEMU that boots nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import MachineError, StandstillError
from devbox.process import HostProcesses
from devbox.vm import machine as module
from devbox.vm import standstill, under
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import Drive, MachineSpec
from devbox.vm.snapshot import go_on
from tests.contract.machine.conftest import Tell

DISKS = ("/of the machine/disk.qcow2", "/of the volumes/data.qcow2")


@pytest.fixture
def standing(tell: Tell, machine: Machine, spec: MachineSpec, processes: HostProcesses, tmp_path: Path) -> Machine:
    """One whose disk is full, and is still full once when it goes on."""
    tell(stands=2)
    machine.start(spec)
    drives = tuple(Drive(path=path, format="qcow2", serial=f"s{number}") for number, path in enumerate(DISKS))
    under.write(tmp_path / "machine" / "started", under.started(replace(spec, drives=drives), processes))
    return machine


def test_it_goes_on_as_soon_as_its_disk_can_be_written(standing: Machine) -> None:
    with pytest.raises(StandstillError) as told:
        go_on(standing)
    assert "/of the volumes/data.qcow2 cannot grow, since there is no room left" in told.value.message
    assert "make room" in (told.value.hint or "")
    assert standing.running()
    assert not go_on(standing), "nothing that was saved is to be done away with"
    with standing.ask() as asked:
        assert standstill.why(asked, standing.disk.parent) is None


def test_one_that_does_so_while_it_boots_is_not_waited_for(standing: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOKS", 0.1)
    with pytest.raises(MachineError) as told:
        standing.await_agent(lambda: False, timeout=30)
    assert "stands still: /of the volumes/data.qcow2" in told.value.message
    assert told.value.hint == "make room on that disk of this host, and run it again"
    assert not standing.running()
