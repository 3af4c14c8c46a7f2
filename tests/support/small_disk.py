"""A file system of its own, with as little room as a test asks for.

Root mounts it. For anybody else the engine does, which is root for whoever may use it.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devbox.engine.discovery import connect
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from tests.support.command import engine
from tests.support.images import tiny_image

_RIGHTS = ("SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE")  # to mount, where another process sees it


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """One, that lies at `place`."""

    place: Path

    @property
    def free(self) -> int:
        """How many bytes can still be written."""
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize

    def grow(self, size: int) -> None:
        """Let it hold `size` bytes."""
        _run("mount", "-o", f"remount,size={size}", str(self.place))


@contextmanager
def small_disk(size: int) -> Iterator[SmallDisk]:
    """Mount one that holds `size` bytes, empty and the caller's own; it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="devbox test ") as name:
        place = Path(name)
        options = f"size={size},mode=755,uid={os.getuid()},gid={os.getgid()}"
        _run("mount", "-t", "tmpfs", "-o", options, "devbox-test", name)
        try:
            yield SmallDisk(place=place)
        finally:
            _run("umount", "-l", name)


def _run(*argv: str) -> None:
    if os.getuid() == 0:
        subprocess.run(argv, check=True, capture_output=True)
        return
    reporter = SilentReporter()
    with contextlib.closing(connect(os.environ, HostProcesses(reporter), reporter)) as own:
        image = tiny_image(own).id
    rights = {"cap_add": list(_RIGHTS), "security_opt": ["apparmor=unconfined", "seccomp=unconfined"]}
    entered = ["nsenter", "-t", str(os.getpid()), "-m", "--", *argv]
    with engine() as client:
        client.containers.run(image, entered, pid_mode="host", network_mode="none", remove=True, **rights)
