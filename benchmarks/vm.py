"""A machine: against the same disk booted as Debian would have it, and against the container.

    python -m benchmarks.vm [--quick]

The peer is the same image with Debian's own initial RAM file system and an ssh server, started by QEMU with its usual
devices; its time ends with the server's first word, which comes before anybody could be in. Both boot from disks that
are in the page cache. Saved states are not in this version, so their rows are missing.
"""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import Amount, Comparison, Way, command, docker_command, measure, options, report
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import disk, qemu
from devbox.vm.images import MachineImages
from devbox.vm.rootfs import write_root
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project

PROFILE = '{head}[base]\nimage = "debian:12"\n\n[resources]\nmemory = "1 GiB"\ncpus = 2\n'
TARGETS = {"full": 0.45, "trimmed": 0.3, "minimal": 0.22}  # of the peer's time
EXEC_TARGET = 1.5  # of the container's
MIB = 1 << 20
DISK_MOST, MEMORY_MOST, CPU_MOST = 10_000, 350 * MIB, 500  # ms; bytes; ms in ten seconds
_NETWORK = "[Match]\\nName=e*\\n[Network]\\nAddress=10.0.2.15/24\\n"
_AS_DEBIAN_HAS_IT = f"""
apt-get update -q && apt-get install -y -q --no-install-recommends openssh-server
printf '{_NETWORK}' > /etc/systemd/network/net.network
systemctl enable systemd-networkd ssh && systemctl disable devbox-agent.service
rm -f /etc/kernel-img.conf && update-initramfs -c -k all
"""
_PROCESSES = HostProcesses(SilentReporter())


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The disk, the kernel and the initial RAM file system of the peer."""

    directory: Path

    def boot(self) -> None:
        """Boot it until its ssh server says its first word, and end it."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [qemu.find(_PROCESSES), "-machine", "q35", "-cpu", "max", "-m", "1024", "-smp", "2", "-nographic"]
        words += ["-drive", f"file={self.directory}/disk.qcow2,if=virtio,snapshot=on"]
        words += ["-kernel", f"{self.directory}/vmlinuz", "-initrd", f"{self.directory}/initrd.img"]
        words += ["-append", "root=/dev/vda console=ttyS0", "-nic", f"user,hostfwd=tcp:127.0.0.1:{port}-:22"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(words, **quiet) as process:
            try:
                _await_word(port)
            finally:
                process.kill()


def _await_word(port: int) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                if client.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("the peer's ssh server said nothing within 180 s")


@contextmanager
def peer(docker: str, image: str) -> Iterator[Peer]:
    """Make the peer from the image of a machine; all of it goes at the end."""
    name = f"devbox-bench-vm-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="devbox-bench-") as place:
        directory = Path(place)
        command(docker, "run", "--name", name, image, "sh", "-ec", _AS_DEBIAN_HAS_IT)
        try:
            command(docker, "export", name, "-o", str(directory / "all.tar"))
            for file in ("vmlinuz", "initrd.img"):
                _take(directory, file)
            with (directory / "all.tar").open("rb") as tar:
                root = write_root(iter(lambda: tar.read(MIB), b""), directory / "root.tar")
            disk.draw(root, directory / "raw", _PROCESSES, identity="peer")
            disk.to_qcow2(directory / "raw", directory / "disk.qcow2", _PROCESSES)
        finally:
            command(docker, "rm", "-f", name)
        yield Peer(directory=directory)


def _take(directory: Path, file: str) -> None:
    """Take the newest of the kernels, or what belongs to it, out of the export."""
    listed = command("tar", "-tf", str(directory / "all.tar")).splitlines()
    (member, *_) = sorted(one for one in listed if one.startswith(f"boot/{file}-"))[-1:]
    command("tar", "-xf", str(directory / "all.tar"), "-C", str(directory), member)
    (directory / member).rename(directory / file)


def write(devbox: Devbox, *, runtime: str, init: str = "full") -> None:
    """Write its profile."""
    head = f'runtime = "{runtime}"\n\n'
    vm = f'\n[vm]\ninit = "{init}"\n' if runtime == "vm" else ""
    (devbox.directory / "devbox.toml").write_text(PROFILE.format(head=head) + vm, encoding="utf-8")


def starts(machine: Devbox, container: Devbox, docker: str, pairs: int) -> Iterator[Comparison]:
    """Compare cold starts up to the end of the first command."""
    write(machine, runtime="vm")
    image = machine.json("up")["image"]
    with peer(docker, image) as untuned:
        theirs = Way(name="QEMU, untuned, to ssh", run=untuned.boot)
        theirs.run()  # so that its disk is in the page cache, as ours is
        for init, target in TARGETS.items():
            write(machine, runtime="vm", init=init)
            machine("up")
            ours = Way(name="devbox shell", prepare=lambda: machine("halt"), run=lambda: machine("shell", "--", "true"))
            yield measure(f"cold start, init = {init}", ours, theirs, pairs=pairs, target=target)
    write(container, runtime="container")
    container("up")
    ours = Way(name="in the machine", run=lambda: machine("exec", "--", "true"))
    theirs = Way(name="in the container", run=lambda: container("exec", "--", "true"))
    yield measure("exec -- true", ours, theirs, pairs=20, target=EXEC_TARGET)


def amounts(machine: Devbox, docker: str) -> Iterator[Amount]:
    """Look at what the disk takes to be made, and what an idle machine takes."""
    write(machine, runtime="vm")
    image = machine.json("up")["image"]
    time.sleep(30)  # until it is idle
    pid = _qemu(machine)
    before = _ticks(pid)
    time.sleep(10)
    spent = (_ticks(pid) - before) * 1000 // os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    yield Amount(name="memory of QEMU, an idle machine of 1 GiB", value=resident, most=MEMORY_MOST)
    yield Amount(name="CPU of QEMU in 10 idle seconds", value=spent, most=CPU_MOST, unit="ms")
    machine("halt")
    name = command(docker, "create", image, "true").strip()
    agent = next((machine.home / ".local/state/devbox/agent").glob("*/agent-*"))
    try:
        with tempfile.TemporaryDirectory(prefix="devbox-bench-") as place:
            images = MachineImages(Path(place), _PROCESSES, SilentReporter())
            begin = time.monotonic()
            images.prepared(image, lambda: _exported(docker, name), agent=agent)
            took = int((time.monotonic() - begin) * 1000)
    finally:
        command(docker, "rm", name)
    yield Amount(name="disk of the image, from its export", value=took, most=DISK_MOST, unit="ms")


def _exported(docker: str, name: str) -> Iterator[bytes]:
    with subprocess.Popen([docker, "export", name], stdout=subprocess.PIPE) as process:
        assert process.stdout
        while piece := process.stdout.read(MIB):
            yield piece


def _qemu(machine: Devbox) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"qemu-system" in words[0] and any(machine.hash.encode() in word for word in words):
            return int(process.name)
    raise SystemExit(f"there is no QEMU of {shlex.quote(str(machine.directory))}")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main() -> int:
    quick = options(__doc__).quick
    docker = docker_command()
    with project(invoker()) as machine, project(invoker()) as container:
        compared = list(starts(machine, container, docker, 1 if quick else 3))
        looked = list(amounts(machine, docker))
    left_out = ["starts from a saved state: not in this version"]
    return 0 if report("vm", compared, left_out, looked) or quick else 1


if __name__ == "__main__":
    sys.exit(main())
