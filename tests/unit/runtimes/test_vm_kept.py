"""Which disks the machines of a user stand on, and what prune takes away of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.runtimes.vm import stored
from devbox.runtimes.vm.kept import needed
from devbox.vm.images import key
from tests.support.disks import qcow2
from tests.unit.runtimes.test_vm import made


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Path(paths.machines_root())


def test_a_machine_needs_what_it_is_made_from_and_what_its_disk_lies_on(root: Path) -> None:
    assert needed() == frozenset()
    for name in ("new", "halted", "damaged"):
        (root / name).mkdir(parents=True)
    stored.write(root / "new", replace(made(), image="sha256:1"))
    qcow2(root / "halted" / paths.MACHINE_DISK, 100, f"/cache/vm/{'ab' * 8}/disk.qcow2")
    (root / "damaged" / paths.MACHINE_DISK).write_bytes(b"no disk")
    assert needed() == {key("sha256:1"), "ab" * 8}
