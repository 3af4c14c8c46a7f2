"""The image of a machine: built by the engine, exported, a disk with nothing lost, the same one twice, and it boots."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.agent.program import binary
from devbox.build.base import BaseImage
from devbox.build.run import Built
from devbox.engine.base import ContainerRequest
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm.disk import draw, overlay, tool, virtual_size
from devbox.vm.images import MachineImage, MachineImages
from devbox.vm.initramfs import Identity, machine_archive
from devbox.vm.rootfs import write_root
from tests.integration.build.conftest import Room
from tests.support.engine import labels

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.vm]
QUIET = HostProcesses(SilentReporter())
PATIENCE = 300  # seconds that a boot may take on a busy machine
SETUP = (
    "ln /usr/bin/true /usr/local/bin/same; ln -s ../bin/same /usr/local/sbin/link; mkfifo -m 0620 /srv/pipe; "
    "chown 7:42 /srv/pipe; cp /usr/bin/true /srv/able; setcap cap_net_raw+ep /srv/able; "
    "dd if=/dev/zero of=/srv/hole bs=1M seek=64 count=1 2>/dev/null; echo 'a \"name' > '/srv/a \"name'"
)


@contextlib.contextmanager
def export(room: Room, image: str) -> Iterator[Iterator[bytes]]:
    wanted = ContainerRequest(name=None, image=image, command=("true",), labels=labels(), network="none")
    container = room.engine.create(wanted)
    try:
        yield room.engine.export(container)
    finally:
        room.engine.remove(container)


def exported(room: Room, image: str) -> Iterator[bytes]:
    with export(room, image) as stream:
        yield from stream


def build(room: Room, base: BaseImage, init: str = "full") -> Built:
    return room.build(
        base,
        runtime="vm",
        vm={"init": init},
        packages={"system": ["libcap2-bin", "systemd"]},
        provision=[{"name": "files", "run": SETUP, "when": "build"}],
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a sparse file, by the blocks that are not empty."""
    found = hashlib.sha256(str(path.stat().st_size).encode())
    size, empty = 1024**2, bytes(1024**2)
    with path.open("rb") as file:
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) // size * size
            except OSError:
                return found.hexdigest()
            data = os.pread(file.fileno(), size, at)
            if data != empty[: len(data)]:
                found.update(f"{at} ".encode() + data)
            at += size


def debugfs(disk: Path, request: str) -> str:
    program = tool(QUIET, "debugfs", "e2fsprogs")
    return subprocess.run([program, "-R", request, str(disk)], capture_output=True, text=True, check=True).stdout


def test_the_disk_holds_what_the_image_holds_and_is_the_same_twice(
    room: Room, debian: BaseImage, tmp_path: Path
) -> None:
    built = build(room, debian)
    processes = HostProcesses(room.reporter)
    digests = []
    for name in ("one", "two"):
        place = tmp_path / name
        place.mkdir()
        root = write_root(exported(room, built.image), place / "root.tar", epoch=debian.epoch)
        raw = place / "raw"
        draw(root, raw, processes, identity=built.image, epoch=debian.epoch)
        digests.append(digest(raw))
    assert digests[0] == digests[1]
    checked = subprocess.run(
        [tool(processes, "e2fsck", "e2fsprogs"), "-fn", str(tmp_path / "one/raw")], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    look(tmp_path / "one/raw")


def look(disk: Path) -> None:
    shadow = debugfs(disk, "stat /etc/shadow")
    assert "Mode:  0640" in shadow
    assert "User:     0   Group:    42" in shadow
    assert "Mode:  04755" in debugfs(disk, "stat /usr/bin/su")
    assert "Mode:  01777" in debugfs(disk, "stat /tmp")
    assert "Mode:  0755" in debugfs(disk, "stat /")
    pipe = debugfs(disk, "stat /srv/pipe")
    assert "Type: FIFO    Mode:  0620" in pipe
    assert "User:     7   Group:    42" in pipe
    assert 'Fast link dest: "../bin/same"' in debugfs(disk, "stat /usr/local/sbin/link")
    first, second = (debugfs(disk, f"stat {path}") for path in ("/usr/bin/true", "/usr/local/bin/same"))
    assert "Links: 2" in first
    assert first == second
    assert "security.capability" in debugfs(disk, "ea_list /srv/able")
    hole = debugfs(disk, "stat /srv/hole")
    assert f"Size: {65 * 1024**2}" in hole
    assert debugfs(disk, 'cat "/srv/a ""name"') == 'a "name\n'
    for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/machine-id"):
        assert "Size: 0" in debugfs(disk, f"stat {path}"), path
    assert 'Fast link dest: "../devbox-agent.service"' in debugfs(
        disk, "stat /etc/systemd/system/sysinit.target.wants/devbox-agent.service"
    )


def test_an_image_boots_to_the_unit_of_the_agent(room: Room, debian: BaseImage, tmp_path: Path) -> None:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("needs QEMU: apt-get install qemu-system-x86 qemu-utils")
    built = build(room, debian)
    images = MachineImages(tmp_path / "machines", HostProcesses(room.reporter), room.reporter)
    asked = []

    def ask() -> Iterator[bytes]:
        asked.append(1)
        return exported(room, built.image)

    agent = binary(os.uname().machine)
    made = images.prepared(built.image, ask, agent=agent, epoch=debian.epoch)
    assert images.prepared(built.image, ask, agent=agent, epoch=debian.epoch) == made
    assert asked == [1]
    assert made.kernel.read_bytes()[:4] == b"\x7fELF"
    assert made.release.endswith("-cloud-amd64")
    assert made.disk.stat().st_mode & 0o777 == 0o400
    assert [entry.name for entry in sorted((tmp_path / "machines").iterdir())] == [made.disk.parent.name, "lock"]
    console = boot(made, tmp_path)
    assert any("Started" in line and "devbox-agent.service" in line for line in console.splitlines())
    assert "FAILED" not in console
    assert "preset" not in console, "it is no first boot"


def boot(image: MachineImage, directory: Path) -> str:
    """Return what the console says until the system is up."""
    disk = directory / "own.qcow2"
    overlay(image.disk, disk, 20 * 1024**3, QUIET)
    assert virtual_size(disk) == 20 * 1024**3
    identity = Identity(
        agent="ab" * 32, hostname="shop", environment={}, network=None, init="/sbin/init", epoch=int(time.time())
    )
    (directory / "initrd").write_bytes(image.initrd.read_bytes() + machine_archive(identity))
    line = "console=ttyS0 panic=-1 net.ifnames=0 systemd.show_status=1 mitigations=off"
    argv = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024"),
        *("-kernel", str(image.kernel), "-initrd", str(directory / "initrd"), "-append", line),
        *("-serial", f"file:{directory}/console", "-device", "virtio-rng-pci"),
        *("-drive", f"file={disk},format=qcow2,if=virtio"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=line,path={directory}/l,server=on,wait=off"),
        *("-device", "virtserialport,chardev=line,name=devbox.agent"),
    ]
    end = time.monotonic() + PATIENCE
    with subprocess.Popen(argv) as machine:
        try:
            while time.monotonic() < end and machine.poll() is None:
                said = (directory / "console").read_text(errors="replace") if (directory / "console").exists() else ""
                if any("Reached target" in line and "multi-user.target" in line for line in said.splitlines()):
                    return said
                time.sleep(0.2)
        finally:
            machine.kill()
    raise AssertionError((directory / "console").read_text(errors="replace")[-3000:])
