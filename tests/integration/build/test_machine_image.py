"""The image of a machine: built by the engine, exported, a disk with nothing lost, the same one twice, and it boots."""

import contextlib
import hashlib
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.agent.client import dial
from devbox.agent.program import binary
from devbox.agent.session import start
from devbox.agent.wire import ExecMessage
from devbox.build.base import BaseImage
from devbox.build.run import Built
from devbox.engine.base import ContainerRequest
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import lines, qemu
from devbox.vm.disk import draw, overlay, tool, virtual_size
from devbox.vm.images import MachineImage, MachineImages
from devbox.vm.initramfs import Identity, agent_archive, machine_archive
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import Drive, MachineSpec
from devbox.vm.rootfs import write_root
from tests.integration.build.conftest import Room
from tests.support.engine import labels

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.vm]
IDENTITY = "ab" * 32
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
        root = write_root(exported(room, built.image), place / "root.tar")
        raw = place / "raw"
        draw(root, raw, processes, identity=built.image)
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


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A machine whose agent answers."""

    agent_socket: Path
    machine: Machine

    def run(self, *argv: str, user: str = "") -> str:
        """Return what a program prints; it must succeed."""
        session = start(dial(str(self.agent_socket)), IDENTITY, ExecMessage(argv, user=user, cwd="/", flags=0))
        with contextlib.closing(session):
            said = b"".join(data for _, data in iter(session.receive, None)).decode()
            assert session.exit_code() == 0, f"{argv}: {said}\n{self.machine.tail()}"
        return said.strip()


@contextlib.contextmanager
def booted(image: MachineImage, directory: Path, init: str) -> Iterator[Guest]:
    """Boot a machine of the image, until its agent answers."""
    place = directory / "machine"
    place.mkdir(mode=0o700)
    machine = Machine(place, QUIET)
    overlay(image.disk, machine.disk, 20 * 1024**3, QUIET)
    assert virtual_size(machine.disk) == 20 * 1024**3
    told = Identity(
        agent=IDENTITY, hostname="shop", environment={"A": "1"}, network=None, init=init, epoch=int(time.time())
    )
    agent = agent_archive(binary(os.uname().machine).read_bytes())
    (directory / "initrd").write_bytes(image.modules.read_bytes() + agent + machine_archive(told))
    console = "ttyAMA0" if qemu.architecture() == "aarch64" else "ttyS0"
    spec = MachineSpec(
        name="devbox-test",
        uuid=str(uuid.uuid4()),
        cpus=2,
        memory=1024**3,
        kernel=str(image.kernel),
        initrd=str(directory / "initrd"),
        command_line=f"console={console} quiet panic=-1 no_timer_check",
        drives=(Drive(path=str(machine.disk), format="qcow2", serial="root"),),
        directory=str(place),
        accelerator="tcg",
        network=False,
    )
    agent_socket = directory / "agent" / "agent.sock"
    agent_socket.parent.mkdir(mode=0o700)
    try:
        machine.start(spec)
        lines.ensure(machine.line, agent_socket, QUIET)
        machine.await_agent(lambda: lines.listens(agent_socket), PATIENCE)
        yield Guest(agent_socket=agent_socket, machine=machine)
    finally:
        lines.end(agent_socket)
        machine.kill()


@pytest.mark.nightly  # that of a profile boots in every run: tests/integration/machine
def test_a_full_machine_is_a_whole_system(room: Room, debian: BaseImage, tmp_path: Path) -> None:
    made = prepared(room, build(room, debian), tmp_path)
    with booted(made, tmp_path, "/sbin/init") as guest:
        assert guest.run("uname", "-r") == made.release
        guest.run("systemctl", "is-system-running", "--wait")
        assert guest.run("systemctl", "--failed", "--no-legend", "--plain") == ""
        assert guest.run("systemctl", "show", "-P", "MainPID", "devbox-agent.service") != "0"
        assert len(guest.run("cat", "/etc/machine-id")) == 32
        assert guest.run("hostname") == "shop"
        guest.run("systemd-run", "--wait", "--unit=told", "echo", "from-a-unit")
        guest.run("journalctl", "--sync")
        assert "from-a-unit" in guest.run("journalctl", "-b", "-u", "told")
        guest.run("mount", "-t", "tmpfs", "none", "/mnt")
        guest.run("modprobe", "loop")
        guest.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        assert guest.run("id", "-un", user="dev") == "dev"
        guest.run("loginctl", "enable-linger", "dev")
        guest.run("systemctl", "--user", "--machine=dev@", "is-system-running", "--wait")


@pytest.mark.nightly  # tests/integration/vm/test_agent.py boots one
def test_a_minimal_machine_has_its_agent_and_nothing_else(room: Room, debian: BaseImage, tmp_path: Path) -> None:
    made = prepared(room, room.build(debian, runtime="vm", vm={"init": "minimal"}), tmp_path)
    with booted(made, tmp_path, "agent") as guest:
        assert guest.run("uname", "-r") == made.release
        assert guest.run("cat", "/proc/1/comm") == "agent"
        assert guest.run("id", "-un", user="dev") == "dev"


def prepared(room: Room, built: Built, directory: Path) -> MachineImage:
    """Return the image, which is exported once."""
    images = MachineImages(directory / "machines", HostProcesses(room.reporter), room.reporter)
    asked = []

    def ask() -> Iterator[bytes]:
        asked.append(1)
        return exported(room, built.image)

    made = images.prepared(built.image, ask)
    assert images.prepared(built.image, ask) == made
    assert asked == [1]
    assert made.disk.stat().st_mode & 0o777 == 0o400
    assert [entry.name for entry in sorted((directory / "machines").iterdir())] == [made.disk.parent.name, "lock"]
    if qemu.architecture() == "x86_64":
        assert made.kernel.read_bytes()[:4] == b"\x7fELF"
    return made
