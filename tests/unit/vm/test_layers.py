"""What a machine's disks lie on, by their headers: all of it, in order, and nothing that would never end."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import MachineError
from devbox.vm.layers import layered
from devbox.vm.qemu_args import Drive
from tests.support.disks import qcow2
from tests.unit.vm.test_qemu_args import SPEC


def _below(path: Path, form: str = "qcow2") -> tuple[str, ...] | None:
    (drive,) = layered(replace(SPEC, drives=(Drive(path=str(path), format=form, serial="root"),))).drives
    return drive.below


def test_every_layer_is_named_the_next_one_first(tmp_path: Path) -> None:
    base, kept, own = (tmp_path / name for name in ("base", "kept", "own"))
    qcow2(base, 1 << 20)
    qcow2(kept, 1 << 20, str(base))
    qcow2(own, 1 << 20, str(kept))
    assert _below(own) == (str(kept), str(base))
    assert _below(base) == ()


def test_what_is_no_qcow2_is_not_looked_into(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    qcow2(disk, 1 << 20, "/etc/shadow")  # what runs inside can write what looks like a header
    assert _below(disk, "raw") == ()


def test_what_cannot_be_followed_is_one_error(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    qcow2(first, 1 << 20, str(second))
    with pytest.raises(MachineError, match="second cannot be opened: no such file"):
        _below(first)
    second.write_bytes(b"what is this")
    with pytest.raises(MachineError, match="second is damaged: it is no disk"):
        _below(first)
    qcow2(second, 1 << 20, str(first))
    with pytest.raises(MachineError, match="first is damaged: it lies on itself"):
        _below(first)
