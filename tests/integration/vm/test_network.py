"""Where a machine gets to: out, and not to what listens on the loopback of this host."""

import contextlib
import http.server
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.vm.initramfs import Entry, archive
from devbox.vm.machine import Machine
from tests.integration.vm.conftest import Making
from tests.support.guest_kernel import kernel_tree
from tests.support.waiting import until

pytestmark = [pytest.mark.vm, pytest.mark.network]


def address_of_this_host() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("198.51.100.1", 9))  # sends nothing: the kernel says which address it would have come from
        return str(asked.getsockname()[0])


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def listening(address: str) -> Iterator[int]:
    with http.server.ThreadingHTTPServer((address, 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def driver() -> list[Path]:
    """Return the modules that a network card of virtio takes, in the order of their loading."""
    tree = kernel_tree()
    (release,) = (path.name for path in (tree / "lib" / "modules").iterdir())
    subprocess.run(["depmod", "-b", tree, release], check=True)
    argv = ["modprobe", "-d", tree, "-S", release, "--show-depends", "-a", "virtio_pci", "virtio_net"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return list(dict.fromkeys(Path(line.split()[1]) for line in said.splitlines() if line.startswith("insmod")))


@pytest.fixture
def passt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what passt is called by in this test alone, so that its own is told from another's."""
    real = shutil.which("passt")
    assert real, "passt is not installed: scripts/setup.sh test"
    made = tmp_path / "bin" / "passt"
    made.parent.mkdir()
    made.symlink_to(real)
    monkeypatch.setenv("PATH", str(made.parent), prepend=":")
    return made


def running(program: Path) -> set[str]:
    """Return the processes that were called by this name."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().split(b"\0")[0] == bytes(program):
                found.add(process.name)
    return found


def test_a_machine_reaches_the_world_and_not_the_loopback_of_this_host(
    machine: Machine, making: Making, passt: Path
) -> None:
    here, modules = address_of_this_host(), driver()
    with listening("127.0.0.1") as private, listening(here) as public:
        spec = making(f"""mount -t devtmpfs none /dev; exec >/dev/console 2>&1
for module in /modules/*; do busybox insmod $module; done
busybox ip addr add 10.0.2.15/24 dev eth0; busybox ip link set eth0 up; busybox ip route add default via 10.0.2.2
echo "world: $(busybox timeout 20 busybox wget -q -O- http://{here}:{public}/)"
echo "loopback: $(busybox timeout 3 busybox wget -q -O- http://10.0.2.2:{private}/)"
echo "loopback: $(busybox timeout 3 busybox wget -q -O- http://127.0.0.1:{private}/)"
echo that is all; while :; do sleep 100; done""")
        with Path(str(spec.initrd)).open("ab") as initrd:
            files = [Entry(path=f"modules/{at:02}", content=file.read_bytes()) for at, file in enumerate(modules)]
            initrd.write(archive(files))
        machine.start(replace(spec, network=True))
        machine.await_agent(lambda: "that is all" in machine.tail(), 60)
        said = machine.tail()
    assert "world: reached" in said
    assert "loopback: reached" not in said
    assert running(passt)
    assert 0 not in {(Path("/proc") / one).stat().st_uid for one in running(passt)}
    machine.kill()
    until(lambda: not running(passt), within=10)
