"""A Workspace whose Environment is a machine: the real engine makes its image, the real QEMU runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox import paths
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.supervisors import gone

PROFILE = """runtime = "vm"

[base]
image = "debian:12"

[packages]
system = ["python3-minimal"]

[env]
WORD = "a word"

[resources]
memory = "512 MiB"
disk = "20 GiB"

[ports.web]
guest = 8000
host = 0
"""


@pytest.fixture(scope="session")
def machine() -> Iterator[Devbox]:
    """A project whose machine runs, if no test has just ended it."""
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        (found.directory / "a.txt").write_text("from the host", encoding="utf-8")
        found("up")
        yield found
        found("destroy", "-f")
        assert gone(found.hash), "a supervisor was left"
        assert not processes_of(found), "QEMU or its line was left"
        assert not list(machines(found)), "the directory of a machine was left"
        assert not (state(found) / "s" / found.hash / paths.SNAPSHOTS).exists(), "a snapshot was left"


def inside(devbox: Devbox, script: str) -> str:
    """Run a shell script inside and return what it says."""
    return devbox("exec", "--", "sh", "-c", script).stdout.strip()


def state(devbox: Devbox) -> Path:
    """Return where devbox keeps what it remembers for this project's user."""
    return devbox.home / ".local/state/devbox"


def machines(devbox: Devbox) -> Iterator[Path]:
    """Go through the directories of its machines."""
    root = state(devbox) / Path(paths.machines_root()).name
    yield from (root.iterdir() if root.is_dir() else ())


def processes_of(devbox: Devbox, word: str = "") -> list[int]:
    """Return the processes that have the project's name and hash, or its home, in their command, and `word`.

    A QEMU that is nobody has no path of its machine's in its command, but was started in its directory.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            place = str((process / "cwd").readlink())
        except OSError:
            continue
        ours = any(str(state(devbox)) in text for text in (command, place)) or f"-{devbox.hash}" in command
        if ours and word in command and ("qemu" in command or "line_process" in command or "wire_process" in command):
            found.append(int(process.name))
    return found
