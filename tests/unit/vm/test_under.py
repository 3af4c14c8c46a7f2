"""What a machine was saved under: kept as it was, and anything that is otherwise now is a reason in words."""

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import MachineError
from devbox.vm import under
from devbox.vm.qemu import architecture
from devbox.vm.qemu_args import Drive, MachineSpec
from devbox.vm.under import Under
from tests.fakes.processes import FakeProcesses

QEMU = f"qemu-system-{architecture()}"


def qcow2(path: Path, below: str = "") -> None:
    name = below.encode()
    path.write_bytes(
        struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 72 if name else 0, len(name), 16, 1 << 20).ljust(72, b"\0") + name
    )


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    for name in ("kernel", "initrd"):
        (tmp_path / name).write_text(name)
    qcow2(tmp_path / "base")
    qcow2(tmp_path / "root", str(tmp_path / "base"))
    qcow2(tmp_path / "data")
    return MachineSpec(
        name="devbox-shop",
        uuid="0" * 8 + "-0000" * 3 + "-" + "0" * 12,
        cpus=1,
        memory=1 << 30,
        kernel=str(tmp_path / "kernel"),
        initrd=str(tmp_path / "initrd"),
        command_line="quiet",
        drives=tuple(Drive(path=str(tmp_path / name), format="qcow2", serial=name) for name in ("root", "data")),
        directory=str(tmp_path),
        accelerator="tcg",
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").write_text("all its memory")
    return tmp_path / "state"


@pytest.fixture
def known(spec: MachineSpec, state: Path) -> Under:
    return under.saved(under.started(spec, FakeProcesses(QEMU, "passt")), state, "7.2.1")


def test_what_is_kept_is_read_as_it_was(tmp_path: Path, known: Under) -> None:
    under.write(tmp_path / "saved", known)
    assert under.read(tmp_path / "saved") == known
    assert (tmp_path / "saved").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "spec": {}}', "\0"])
def test_what_cannot_be_used_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "saved").write_text(text)
    assert under.read(tmp_path / "saved") is None


def test_every_file_of_it_is_known_those_below_a_disk_too(tmp_path: Path, known: Under) -> None:
    assert [Path(path).name for path, _ in known.files] == ["kernel", "initrd", "root", "base", "data"]
    assert all(found for _, found in known.files)


def test_nothing_speaks_against_the_very_same(known: Under, state: Path) -> None:
    assert under.misfit(known, state, FakeProcesses(QEMU, "passt")) is None


def _touched(path: Path) -> None:
    os.utime(path)


def _rewritten(path: Path) -> None:
    times = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _copied(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("change", [Path.unlink, _touched, _rewritten, _copied])
@pytest.mark.parametrize("name", ["kernel", "initrd", "root", "base", "data"])
def test_a_file_that_is_otherwise_now_is_named(
    known: Under, state: Path, tmp_path: Path, name: str, change: Callable[[Path], None]
) -> None:
    change(tmp_path / name)
    assert under.misfit(known, state, FakeProcesses(QEMU, "passt")) == f"{tmp_path / name} has changed since"


def test_another_state_another_network_and_another_host_do_not_fit(known: Under, state: Path) -> None:
    here = FakeProcesses(QEMU, "passt")
    assert under.misfit(known, state, FakeProcesses(QEMU)) == "it would be started in another way now"
    other = replace(known, host="of another host")
    assert under.misfit(other, state, here) == "this host has another processor or kernel now"
    state.write_text("all the memory of another one")
    assert under.misfit(known, state, here) == f"{state} is not what was saved"


def test_under_acceleration_the_processor_counts(spec: MachineSpec) -> None:
    here = FakeProcesses(QEMU)
    assert under.started(spec, here).host == ""
    assert under.started(replace(spec, accelerator="kvm"), here).host


def test_without_a_note_there_is_nothing_that_it_could_be_saved_under() -> None:
    with pytest.raises(MachineError, match="nobody noted what the machine was started with"):
        under.require(None)
