"""Machines of the real QEMU, with a kernel of the distribution's."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import qemu
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from tests.support.guest_kernel import busybox_initrd, guest_kernel

CONSOLE = "ttyAMA0" if qemu.architecture() == "aarch64" else "ttyS0"
Making = Callable[[str], MachineSpec]


@pytest.fixture
def processes() -> HostProcesses:
    return HostProcesses(SilentReporter())


@pytest.fixture
def machine(tmp_path: Path, processes: HostProcesses) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine", processes)
    yield made
    made.kill()


@pytest.fixture
def making(tmp_path: Path) -> Making:
    """Return what makes the spec of a machine whose init is a script."""

    def make(init: str) -> MachineSpec:
        initrd = tmp_path / "initrd"
        initrd.write_bytes(busybox_initrd(init))
        return MachineSpec(
            name="devbox-test",
            uuid=str(uuid.uuid4()),
            cpus=1,
            memory=256 * 1024**2,
            kernel=str(guest_kernel()),
            initrd=str(initrd),
            command_line=f"console={CONSOLE} quiet panic=-1 no_timer_check",
            directory=str(tmp_path / "machine"),
            accelerator="tcg",
            network=False,
        )

    return make
