"""A Workspace whose Environment is a machine: the real engine makes its image, the real QEMU runs it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devbox import paths
from tests.support.account import invoker
from tests.support.command import PROJECT, Devbox, sweep
from tests.support.project import project
from tests.support.supervisors import gone

PROFILE = """runtime = "vm"

[base]
image = "debian:12"

[packages]
system = ["python3-minimal"]

[env]
WORD = "a word"
TELLING = "bilge-4d1c-otter-of-the-profile"

[resources]
cpus = 1
memory = "640 MiB"
disk = "24 GiB"

[ports.web]
guest = 8000
host = 0
"""
SMALLEST = """runtime = "vm"
vm.init = "minimal"
vm.ready = false

[base]
image = "debian:12"

[packages]
system = ["python3-minimal"]

[resources]
memory = "256 MiB"
"""
TELLING = ("telling.txt", "heron-93b7-tin-of-a-file")  # a file of the project, and what is in it
# What has one of these in its command belongs to a machine; all but QEMU end by themselves when that has ended.
_KINDS = ("qemu-system", "passt", "/vm/ring.py", "line_process", "wire_process", "virtiofsd", "share_watch")
_MOMENT = 3.0  # seconds that they have for it


@dataclass(frozen=True, kw_only=True)
class Born:
    """A project that has just had its first machine made, and what that said on stderr."""

    devbox: Devbox
    said: str


@pytest.fixture(scope="session")
def smallest() -> Iterator[Devbox]:
    """A user whose smallest machine was made and destroyed: others of the same packages have its image at hand."""
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(SMALLEST, encoding="utf-8")
        found("up")
        found("destroy", "-f")
        yield found


@contextmanager
def beside(devbox: Devbox, name: str) -> Iterator[Devbox]:
    """Make another directory, which is empty, of the same user; what was made for it goes at the end."""
    found = replace(devbox, directory=devbox.directory.parent / name)
    found.directory.mkdir()
    try:
        yield found
    finally:
        found("destroy", "-f", status=None)
        sweep(found.hash)
        shutil.rmtree(found.directory)


@pytest.fixture(scope="session")
def born() -> Iterator[Born]:
    """The project of all these tests."""
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        (found.directory / "a.txt").write_text("from the host", encoding="utf-8")
        (found.directory / TELLING[0]).write_text(TELLING[1], encoding="utf-8")
        yield Born(devbox=found, said=found("up").stderr)
        found("destroy", "-f")
        assert gone(found.hash), "a supervisor was left"
        assert not processes_of(found), "QEMU, its line, its network or its console was left"
        assert not list(machines(found)), "the directory of a machine was left"
        assert not (state(found) / "s" / found.hash / paths.SNAPSHOTS).exists(), "a snapshot was left"


@pytest.fixture(scope="session")
def machine(born: Born) -> Devbox:
    """A project whose machine runs, if no test has just ended it."""
    return born.devbox


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
    """Return the processes that a project's machines consist of, those with `word` in their command.

    Without a QEMU the others end by themselves, and are those that have not done so a moment later.
    """
    end = time.monotonic() + _MOMENT
    while True:
        found = dict(_belonging_to(devbox))
        wanted = [process for process, command in found.items() if word in command]
        runs = any("qemu-system" in command for command in found.values())
        if not wanted or runs or time.monotonic() > end:
            return wanted
        time.sleep(0.05)


def _belonging_to(devbox: Devbox) -> Iterator[tuple[int, str]]:
    """Go through a project's processes of machines, each with its command.

    They are known by its name and hash, or its home, in their command or directory, or by the variable that they have
    from whoever started them. Another user's (QEMU, passt) have nothing else, and only root sees that.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or may not be looked at
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if any(kind in command for kind in _KINDS) and _is_of(devbox, process, command):
                yield int(process.name), command


def _is_of(devbox: Devbox, process: Path, command: str) -> bool:
    if f"-{devbox.hash}" in command or str(state(devbox)) in command:
        return True
    place = str((process / "cwd").readlink())
    return str(state(devbox)) in place or f"{PROJECT}={devbox.hash}".encode() in _variables(process)


def _variables(process: Path) -> list[bytes]:
    return (process / "environ").read_bytes().split(b"\0")
