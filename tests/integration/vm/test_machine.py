"""The real QEMU with a real kernel: it boots, it is found again, and it ends, whatever way it ends."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import MachineError, RuntimeUnavailableError
from devbox.process import HostProcesses
from devbox.runtimes.vm.boot import command_line
from devbox.vm import qemu
from devbox.vm.accel import Accelerator, choose
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from tests.integration.vm.conftest import Making
from tests.support.guest_kernel import guest_kernel
from tests.support.waiting import until

pytestmark = [pytest.mark.vm, pytest.mark.network]

UP = "mount -t devtmpfs none /dev; echo inside and well >/dev/console; while :; do sleep 100; done"


def up(machine: Machine) -> bool:
    return "inside and well" in machine.tail()


def boot(machine: Machine, spec: MachineSpec, within: float = 60) -> None:
    machine.start(spec)
    machine.await_agent(lambda: up(machine), within)


def qemu_of(machine: Machine, spec: MachineSpec) -> int:
    return int((Path(spec.directory) / "qemu").read_text().split("\n")[2])


@contextmanager
def held_up(pid: int) -> Iterator[None]:
    """Let the first thread of QEMU, its clock, have next to nothing of the one processor that it may use."""
    processor = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(pid, processor)
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        os.sched_setaffinity(busy.pid, processor)
        try:
            yield
        finally:
            busy.kill()


def test_a_kernel_boots_is_found_by_another_command_and_stops(
    machine: Machine, making: Making, processes: HostProcesses
) -> None:
    spec = making(UP)
    boot(machine, spec)
    assert machine.running()
    assert Machine(Path(spec.directory), processes).running()
    assert {path.stat().st_mode & 0o077 for path in Path(spec.directory).iterdir()} == {0}
    with machine.ask() as asked:
        assert asked.execute("query-status")["status"] == "running"  # type: ignore[index]
        with pytest.raises(MachineError, match="QEMU does not carry out no-such-thing"):
            asked.execute("no-such-thing")
    machine.stop(1)
    assert not machine.running()
    assert {path.name for path in Path(spec.directory).iterdir()} == {"console", "console.end"}


@pytest.mark.nightly
def test_one_boots_where_the_clock_of_qemu_has_to_wait_for_a_processor(machine: Machine, making: Making) -> None:
    machine.start(replace(making(UP), command_line=command_line(qemu.architecture())))
    with held_up(qemu_of(machine, making(UP))):
        time.sleep(8)  # a kernel that counts ticks has panicked by then, more often than not
    machine.await_agent(lambda: up(machine), 60)


def test_one_that_powers_off_by_itself_has_ended(machine: Machine, making: Making) -> None:
    machine.start(making("mount -t devtmpfs none /dev; echo inside and well >/dev/console; sleep 1; poweroff -f"))
    machine.await_agent(lambda: up(machine), 60)
    handle = machine.watch()
    assert handle is not None
    assert select.select([handle], [], [], 60)[0] == [handle]
    os.close(handle)
    assert not machine.running()


def test_a_killed_qemu_is_noticed_and_started_again(machine: Machine, making: Making) -> None:
    spec = making(UP)
    machine.start(spec)
    os.kill(qemu_of(machine, spec), signal.SIGKILL)
    with pytest.raises(MachineError, match="ended by itself"):
        machine.await_agent(lambda: False, 60)
    assert not machine.running()
    boot(machine, spec)


def test_a_kernel_that_panics_is_one_error_with_its_own_words_in_20_seconds(machine: Machine, making: Making) -> None:
    spec = making("exit 3")
    before = time.monotonic()
    with pytest.raises(MachineError) as caught:
        boot(machine, spec)
    assert time.monotonic() - before < 20
    assert "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300" in caught.value.message
    assert caught.value.detail is not None
    assert "Kernel panic" in caught.value.detail
    assert caught.value.exit_status == 3
    assert not machine.running()


def test_a_file_that_is_no_kernel_is_one_error_in_qemus_words(machine: Machine, making: Making, tmp_path: Path) -> None:
    (tmp_path / "no kernel").write_text("x" * 5000)
    with pytest.raises(MachineError, match="does not come up") as caught:
        boot(machine, replace(making(UP), kernel=str(tmp_path / "no kernel")), within=10)
    assert caught.value.hint is not None
    assert not machine.running()


def test_a_directory_whose_path_is_longer_than_a_sockets_may_be(
    making: Making, processes: HostProcesses, tmp_path: Path
) -> None:
    directory = tmp_path / ("a" * 120) / "with, comma"
    machine = Machine(directory, processes)
    try:
        machine.start(replace(making(UP), directory=str(directory)))
        assert machine.running()
        until((directory / "line.sock").is_socket)
    finally:
        machine.kill()
    assert not machine.running()


def test_a_console_that_never_stops_talking_takes_no_more_than_its_share(machine: Machine, making: Making) -> None:
    line = "x" * 1000
    spec = making(f"mount -t devtmpfs none /dev; exec >/dev/console; while :; do echo {line}; done")
    machine.start(spec)
    directory = Path(spec.directory)
    until((directory / "console.1").exists, within=120)
    assert sum(path.stat().st_size for path in directory.glob("console*")) <= 512 * 1024
    assert machine.running()


def test_without_qemu_on_the_path_its_package_is_named(
    machine: Machine, making: Making, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = making(UP)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeUnavailableError, match=r"qemu-system-(x86|arm)"):
        machine.start(spec)


def test_what_is_chosen_boots_and_a_device_that_boots_nothing_is_found_out(
    machine: Machine, making: Making, processes: HostProcesses, tmp_path: Path
) -> None:
    program = qemu.find(processes)
    before = time.monotonic()
    chosen = choose(program, guest_kernel(), tmp_path / "cache", processes)
    assert time.monotonic() - before < 10
    assert (chosen.name == "tcg") == bool(chosen.why)
    assert choose(program, guest_kernel(), tmp_path / "cache", processes) == Accelerator(name=chosen.name)
    boot(machine, replace(making(UP), accelerator=chosen.name))
