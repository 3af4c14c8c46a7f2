"""A file system of its own, with as little room as a test asks for."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.skips import NOT_HERE


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
    """Mount one that holds `size` bytes, empty; it goes at the end. Skips the test where nobody can mount."""
    if os.getuid() != 0:
        pytest.skip(f"{NOT_HERE}only root can mount a file system")
    with tempfile.TemporaryDirectory(prefix="devbox test ") as name:
        place = Path(name)
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "devbox-test", name)
        try:
            yield SmallDisk(place=place)
        finally:
            _run("umount", "--lazy", name)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)
