"""A kernel for the machines of the tests: the distribution's own, fetched once, and initrds of a few files."""

import fcntl
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from devbox.vm.initramfs import Entry, archive
from devbox.vm.qemu import architecture
from tests.support.engine import RUN
from tests.support.skips import NOT_HERE

PLACE = Path(tempfile.gettempdir(), f"devbox-test-kernel-{RUN}")  # goes with the run
_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}


@functools.cache
def kernel_tree() -> Path:
    """Return a directory with the boot/ and lib/modules/ of Debian's cloud kernel, for all tests of this run."""
    if not shutil.which("apt-get"):
        pytest.skip(f"{NOT_HERE}this is not Debian or its kin")
    PLACE.mkdir(mode=0o700, exist_ok=True)
    with (PLACE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        package = _package()
        tree = PLACE / package
        if not tree.exists():
            with tempfile.TemporaryDirectory(dir=PLACE) as work:
                _apt("apt-get", "download", package, cwd=Path(work))
                (file,) = Path(work).glob("*.deb")
                unpacked = Path(work, "tree")
                subprocess.run(["dpkg-deb", "-x", file, unpacked], check=True)
                unpacked.rename(tree)
    return tree


def guest_kernel() -> Path:
    """Return the kernel of `kernel_tree` as it is booted."""
    (found,) = (kernel_tree() / "boot").glob("vmlinuz-*")
    return found


def busybox_initrd(init: str) -> bytes:
    """Return an initrd whose /init is this script, for the host's static busybox."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox (static) is not installed"
    called = " ".join(("mount", "sleep", "poweroff", "reboot", "cat", "echo"))
    script = f"#!/bin/busybox sh\nfor name in {called}; do /bin/busybox ln -s busybox /bin/$name; done\n{init}\n"
    return archive(
        [
            Entry(path="bin/busybox", content=Path(busybox).read_bytes(), mode=0o755),
            Entry(path="init", content=script.encode(), mode=0o755),
            *(Entry(path=place, mode=0o755) for place in ("dev", "proc")),
        ]
    )


def _package() -> str:
    meta = f"linux-image-cloud-{_DEBIAN[architecture()]}"
    said = _apt("apt-cache", "depends", "--no-recommends", meta)
    names = [line.split()[-1] for line in said.splitlines() if "Depends:" in line]
    return names[0]


def _apt(*argv: str, cwd: Path = Path("/")) -> str:
    """Run apt; where it does not know the archive as it is today, let it look there, and try once more."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
    if done.returncode or (argv[0] == "apt-cache" and "Depends:" not in done.stdout):
        subprocess.run(["apt-get", "update", "-q"], check=True, capture_output=True)
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
