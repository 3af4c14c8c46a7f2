"""What runs in a machine is saved and goes on, in the same machine or in any number of others."""

import contextlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import MachineError
from devbox.process import HostProcesses
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from devbox.vm.snapshot import go_on, resume, save
from tests.integration.vm.conftest import Making
from tests.support.waiting import until

pytestmark = [pytest.mark.vm, pytest.mark.network]

COUNTING = """mount -t devtmpfs none /dev
n=0; while :; do n=$((n + 1)); echo "counted $n" >/dev/console; sleep 0.2; done"""


def counted(machine: Machine) -> int:
    """Return how far it has counted by what it said last."""
    found = re.findall(r"counted (\d+)\r?\n", machine.console().decode())
    return int(found[-1]) if found else 0


@contextlib.contextmanager
def ended(*machines: Machine) -> Iterator[None]:
    try:
        yield
    finally:
        for machine in machines:
            machine.kill()


def test_a_machine_goes_on_where_it_was_and_only_once(machine: Machine, making: Making) -> None:
    spec = making(COUNTING)
    machine.start(spec)
    until(lambda: counted(machine) >= 5)
    save(machine, machine.state)
    assert not machine.running()
    reached = counted(machine)
    assert machine.state.stat().st_mode & 0o777 == 0o600

    resume(machine, spec, machine.state)
    until(lambda: counted(machine) > 0)
    assert reached <= counted(machine) < reached + 50
    assert "Linux version" not in machine.console().decode()
    assert not machine.state.exists()


@pytest.mark.nightly
def test_another_qemu_does_not_get_what_was_saved(machine: Machine, making: Making) -> None:
    spec, said = making(COUNTING), ""

    def note(draft: Path, version: str) -> None:
        nonlocal said
        assert draft.stat().st_size > 1024**2
        assert not machine.state.exists()
        said = version

    machine.start(spec)
    until(lambda: counted(machine) >= 1)
    save(machine, machine.state, note=note)
    assert re.match(r"\d+\.\d+\.\d+", said)
    with pytest.raises(MachineError, match=r"QEMU is another one now, .* and not 1\.0\.0"):
        resume(machine, spec, machine.state, version="1.0.0")
    assert not machine.running()
    assert machine.state.exists()
    resume(machine, spec, machine.state, version=said)
    assert not machine.state.exists()
    assert not go_on(machine), "it runs"


@pytest.mark.nightly
def test_a_state_that_is_cut_off_is_one_error_and_the_machine_boots_as_ever(machine: Machine, making: Making) -> None:
    spec = making(COUNTING)
    machine.start(spec)
    until(lambda: counted(machine) >= 1)
    save(machine, machine.state)
    whole = machine.state.read_bytes()
    machine.state.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MachineError):
        resume(machine, spec, machine.state)
    assert not machine.running()
    machine.start(spec)
    assert not machine.state.exists(), "the disk goes another way now"
    until(lambda: counted(machine) >= 1)


@pytest.mark.nightly
def test_one_that_cannot_be_saved_goes_on(machine: Machine, making: Making, tmp_path: Path) -> None:
    machine.start(making(COUNTING))
    until(lambda: counted(machine) >= 1)
    with pytest.raises(FileNotFoundError):
        save(machine, tmp_path / "nowhere" / "state")
    before = counted(machine)
    until(lambda: counted(machine) > before)


@pytest.mark.nightly
def test_one_whose_state_cannot_take_its_place_goes_on_too(machine: Machine, making: Making) -> None:
    machine.start(making(COUNTING))
    until(lambda: counted(machine) >= 1)
    (machine.state / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        save(machine, machine.state)
    assert not machine.state.with_name(f"{machine.state.name}.new").exists()
    before = counted(machine)
    until(lambda: counted(machine) > before)


@pytest.mark.nightly
def test_any_number_start_from_one_state_whose_memory_is_apart(
    machine: Machine, making: Making, processes: HostProcesses, tmp_path: Path
) -> None:
    memory, state = tmp_path / "memory", tmp_path / "ready"
    spec = replace(making(COUNTING), memory_file=str(memory))
    machine.start(spec)
    until(lambda: counted(machine) >= 5)
    save(machine, state, memory_apart=True)
    assert state.stat().st_size < 8 * 1024**2
    before = memory.read_bytes()

    def other(name: str) -> tuple[Machine, MachineSpec]:
        made = replace(spec, uuid=str(uuid.uuid4()), directory=str(tmp_path / name), memory_kept=True)
        return Machine(tmp_path / name, processes), made

    first, second = other("first"), other("second")
    with ended(first[0], second[0]):
        for one, its in (first, second):
            resume(one, its, state)
        until(lambda: counted(first[0]) > 5 and counted(second[0]) > 5)
        assert first[0].running()
        assert second[0].running()
    assert memory.read_bytes() == before
    assert state.exists()
