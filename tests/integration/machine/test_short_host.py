"""A host that has too little for a machine, by the command line: one clear error, soon, and nothing is left behind."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from devbox import paths
from tests.integration.machine.conftest import PROFILE, inside, machines, processes_of
from tests.integration.machine.test_refused import refused
from tests.support.command import Devbox
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]
_MIB = 1 << 20
_MEMORY = 'memory = "640 MiB"'


@contextmanager
def _profile(machine: Devbox, old: str, new: str) -> Iterator[None]:
    """Have another profile for a while; afterwards the machine runs by its own."""
    assert old in PROFILE
    path = machine.directory / "devbox.toml"
    path.write_text(PROFILE.replace(old, new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(PROFILE, encoding="utf-8")
        machine("up")


@contextmanager
def _elsewhere(machine: Devbox, disk: SmallDisk, name: str) -> Iterator[Devbox]:
    """Give a devbox that keeps on `disk` what the variable `name` is for, and whose machine is to be made anew."""
    machine("destroy", "-f")
    try:
        yield replace(machine, variables={name: str(disk.place)})
    finally:
        machine("up")
        assert inside(machine, "cat a.txt") == "from the host"


def test_more_memory_than_the_host_has_is_refused_before_anything_is_done(machine: Devbox) -> None:
    machine("up")
    (before,) = processes_of(machine, "qemu-system")
    with _profile(machine, _MEMORY, 'memory = "900 TiB"'):
        said = refused(machine, status=3)
        assert "is to have 900.0 TiB of memory, and this host has" in said
        assert "hint: set resources.memory in devbox.toml to less" in said
        assert processes_of(machine, "qemu-system") == [before], "what ran goes on"


def test_a_kernel_that_panics_for_want_of_memory_is_told_and_ended(machine: Devbox) -> None:
    machine("up")  # that nothing is inside alone can be known
    with _profile(machine, _MEMORY, 'memory = "64 MiB"'):
        said = refused(machine, status=3)
        assert "does not come up: Kernel panic - not syncing: " in said
        assert "warning: " not in said, said  # such as that nobody knows what is inside alone
        assert "hint: give the machine more memory: resources.memory in devbox.toml" in said
        assert "Kernel panic - not syncing: " in machine("logs", "--console").stdout
        assert not processes_of(machine)
        machine("destroy", "-f")
        assert not list(machines(machine))
        assert machine("logs", "--console").stdout == ""


def test_a_port_that_somebody_has_is_named(machine: Devbox) -> None:
    last = 65535
    with socket.create_server(("127.0.0.1", last)), _profile(machine, "host = 0", f"host = {last}"):
        said = refused(machine, status=1)
        assert f"error[port-taken]: port 'web': all ports of this host from {last} to {last} are taken" in said
        assert "hint: give ports.web another host port in devbox.toml, or 0 for any" in said


def test_a_disk_without_room_for_that_of_the_machine_is_named(machine: Devbox) -> None:
    with small_disk(192 * _MIB) as disk, _elsewhere(machine, disk, "XDG_CACHE_HOME") as short:
        root = disk.place / "devbox" / "vm"
        said = refused(short, status=3)
        assert f"{root}, where the disks of machines lie, cannot be used: no space left on device" in said
        assert "hint: make room there, or set XDG_CACHE_HOME to another directory" in said
        assert not processes_of(short)
        assert not list(machines(short))
        assert [path for path in root.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.mark.nightly
def test_a_machine_that_fills_the_disk_of_the_host_stands_still_and_goes_on(machine: Devbox) -> None:
    with small_disk(48 * _MIB) as disk, _elsewhere(machine, disk, "XDG_STATE_HOME") as short:
        short("up")
        (found,) = (disk.place / "devbox" / "vm").iterdir()
        script = "dd if=/dev/urandom of=/big bs=1M count=64 conv=fsync status=none"
        with short.start("exec", "-u", "root", "--", "sh", "-c", script) as writing:
            until(lambda: disk.free < _MIB)
            said = refused(short, status=3)
            assert "error[machine-stands-still]" in said
            assert f"{found / paths.MACHINE_DISK} cannot grow, since there is no room left" in said
            disk.grow(256 * _MIB)
            short("up")
            assert writing.wait(60) == 0, "what was being written has been"
        assert inside(short, "stat -c %s /big") == str(64 * _MIB)
        short("destroy", "-f")
