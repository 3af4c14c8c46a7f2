"""A QEMU on PATH that boots nothing."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm.machine import Machine
from devbox.vm.qemu import architecture
from devbox.vm.qemu_args import MachineSpec
from tests.fakes import qemu_program

Tell = Callable[..., None]


@pytest.fixture
def processes() -> HostProcesses:
    return HostProcesses(SilentReporter())


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Tell the fake QEMU, which is on PATH then, how to be."""
    qemu_program.install(tmp_path / "bin" / f"qemu-system-{architecture()}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    def told(**how: object) -> None:
        monkeypatch.setenv("FAKE_QEMU", json.dumps(how))

    return told


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    return MachineSpec(
        name="shop",
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, str(tmp_path))),
        cpus=1,
        memory=128 * 1024**2,
        kernel="/nothing",
        command_line="panic=-1",
        directory=str(tmp_path / "machine"),
        accelerator="tcg",
        network=False,
    )


@pytest.fixture
def machine(tmp_path: Path, processes: HostProcesses) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine", processes)
    yield made
    made.kill()
