"""What one would have instead of a machine of devbox's: the same disk in QEMU, with nothing tuned, to an ssh login.

Its disk is the image of the machine with what Debian has there where nobody tunes: an initial RAM file system for any
hardware, networkd with DHCP, an ssh server; the agent's unit is taken out. What is timed ends with the first command
that ssh has run. Nobody knocks before the console says that the server has been started: each knock would cost time.
"""

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import Way, command
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import accel, disk, qemu
from devbox.vm.rootfs import write_root

MIB = 1 << 20
PROCESSES = HostProcesses(SilentReporter())
_AS_DEBIAN_HAS_IT = r"""
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends openssh-server initramfs-tools zstd
printf '[Match]\nName=e*\n[Network]\nDHCP=yes\n' > /etc/systemd/network/10-all.network
systemctl enable systemd-networkd ssh
rm /etc/systemd/system/sysinit.target.wants/devbox-agent.service
update-initramfs -c -k all
mkdir -p -m 700 /root/.ssh
echo "$KEY" > /root/.ssh/authorized_keys
"""
_SERVES = re.compile(rb"Started[^\n]*ssh\.service")
_PATIENCE = 400.0  # seconds for it to come up
_PAUSE = 0.02


@dataclass(kw_only=True)
class Peer:
    """One, with its disk, its kernel and what ssh needs in a directory."""

    directory: Path
    accelerator: str = "tcg"
    _running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def way(self) -> Way:
        """Return how it is timed."""
        return Way(name="QEMU, untuned, to ssh", run=self.boot, clean_up=self.end)

    def boot(self) -> None:
        """Boot it until ssh has run a command in it; `SystemExit` with its last words if it does not come up."""
        console, end = self.directory / "console", time.monotonic() + _PATIENCE
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with console.open("wb") as said:
            self._running.append(subprocess.Popen(self._argv(port), stdin=subprocess.DEVNULL, stdout=said, stderr=said))
        while not (_SERVES.search(console.read_bytes()) and self._runs(port)):
            if time.monotonic() > end or self._running[0].poll() is not None:
                raise SystemExit(f"the peer does not come up:\n{console.read_text(errors='replace')[-3000:]}")
            time.sleep(_PAUSE)

    def end(self) -> None:
        """End it; what it has written is gone."""
        while self._running:
            with self._running.pop() as process:
                process.kill()

    def make(self, docker: str, image: str) -> None:
        """Make its disk of the image of a machine."""
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / "key")
        key = (self.directory / "key.pub").read_text(encoding="ascii").strip()
        name = f"devbox-bench-vm-{os.getpid()}"
        try:
            command(docker, "run", "--name", name, "-e", f"KEY={key}", image, "sh", "-ec", _AS_DEBIAN_HAS_IT)
            self._draw(docker, name)
        finally:
            command(docker, "rm", "-f", name)

    def _draw(self, docker: str, container: str) -> None:
        """Write the disk as devbox writes one, and what is booted beside it."""
        with subprocess.Popen([docker, "export", container], stdout=subprocess.PIPE) as export:
            assert export.stdout
            stream = export.stdout
            root = write_root(iter(lambda: stream.read(MIB), b""), self.directory / "root.tar")
        disk.draw(root, self.directory / "raw", PROCESSES, identity="peer")
        disk.to_qcow2(self.directory / "raw", self.directory / "disk.qcow2", PROCESSES)
        for name in ("vmlinuz", "initrd.img"):
            (path,) = (path for path in root.places if path.startswith(f"boot/{name}-"))
            (self.directory / name).write_bytes(root.read(path))
        kernel = self.directory / "vmlinuz"
        self.accelerator = accel.choose(qemu.find(PROCESSES), kernel, self.directory, PROCESSES).name
        (self.directory / "root.tar").unlink()
        (self.directory / "raw").unlink()

    def _argv(self, port: int) -> list[str]:
        place = self.directory
        cpu = "max" if self.accelerator == "tcg" else "host"
        return [
            *(qemu.find(PROCESSES), "-machine", "q35", "-accel", self.accelerator, "-cpu", cpu),
            *("-m", "1024", "-smp", "2", "-nographic"),
            *("-drive", f"file={place}/disk.qcow2,format=qcow2,if=virtio,snapshot=on"),
            *("-kernel", f"{place}/vmlinuz", "-initrd", f"{place}/initrd.img"),
            *("-append", "root=/dev/vda rw console=ttyS0"),
            *("-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:22"),
        ]

    def _runs(self, port: int) -> bool:
        """Whether ssh runs a command inside."""
        options = ("BatchMode=yes", "ConnectTimeout=20", "StrictHostKeyChecking=no", f"UserKnownHostsFile={os.devnull}")
        words = ["ssh", "-F", "none", "-i", str(self.directory / "key"), "-p", str(port)]
        words += [word for option in options for word in ("-o", option)]
        quiet = {"stdin": subprocess.DEVNULL, "capture_output": True}
        return subprocess.run([*words, "root@127.0.0.1", "true"], check=False, **quiet).returncode == 0  # type: ignore[call-overload,no-any-return]


@contextmanager
def peer(docker: str, image: str) -> Iterator[Peer]:
    """Make one of the image of a machine with systemd; all of it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="devbox-bench-") as place:
        made = Peer(directory=Path(place))
        try:
            made.make(docker, image)
            yield made
        finally:
            made.end()
