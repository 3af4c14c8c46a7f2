"""What no machine can run with: one clear error, soon, and nothing is left behind or lost."""

import os
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.vm import qemu
from tests.integration.machine.conftest import PROFILE, inside, machines, processes_of
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project

pytestmark = [pytest.mark.docker, pytest.mark.vm]
SOON = 20.0  # seconds
_L1_TABLE = 40  # where the header of qcow2 says where that lies


def refused(devbox: Devbox, *words: str, status: int) -> str:
    """Have `devbox up` fail with one error, soon; return what it said."""
    begin = time.monotonic()
    done = devbox("up", *words, status=status)
    assert time.monotonic() - begin < SOON
    assert done.stderr.count("error[") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def _stopped(machine: Devbox) -> Iterator[Path]:
    """Give the disk of the machine, which does not run; what is done to it is undone."""
    machine("up")
    machine("halt")
    (directory,) = machines(machine)
    disk = directory / paths.MACHINE_DISK
    kept = disk.with_name("kept")
    shutil.copy(disk, kept)
    try:
        yield disk
    finally:
        kept.replace(disk)
        machine("up")
        assert inside(machine, "cat a.txt") == "from the host"


def test_without_qemu_nothing_is_made_and_its_package_is_named(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = programs / program.name
            if not program.name.startswith("qemu-system") and not os.path.lexists(link):
                link.symlink_to(program)
    with project(invoker()) as devbox:
        (devbox.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        bare = replace(devbox, variables={"PATH": str(programs)})
        said = refused(bare, status=3)
        assert f"qemu-system-{qemu.architecture()} is not installed" in said
        assert "apt-get install" in said
        assert not list(machines(devbox))
        assert sorted(one.name for one in devbox.directory.iterdir()) == ["devbox.toml"]


@pytest.mark.parametrize("damage", ["no disk", "no table"])
def test_a_damaged_disk_is_said_and_stays(machine: Devbox, damage: str) -> None:
    with _stopped(machine) as disk:
        with disk.open("r+b") as file:
            if damage == "no disk":
                file.write(b"garbage!")
            else:
                file.seek(_L1_TABLE)
                file.write(struct.pack(">Q", 1 << 60))
        before = disk.read_bytes()
        said = refused(machine, status=3)
        assert disk.name in said or "does not come up" in said
        if damage == "no disk":  # else QEMU has opened it, and notes so in it
            assert disk.read_bytes() == before
        assert not processes_of(machine)
