"""Machines that go on from what was kept of their image: how soon they answer, and what ten of them take together.

They are started by the runtime itself, as `devbox up` does it, with nothing of a project: from its call until the agent
knows who it is and has its volumes in place. What the command line takes as a whole has a row of its own.
"""

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.common import Amount
from benchmarks.vm_peer import MIB, PROCESSES
from devbox import paths
from devbox.engine.discovery import connect
from devbox.reporter import SilentReporter
from devbox.runtimes.base import Instance, InstanceSpec
from devbox.runtimes.vm import stored
from devbox.runtimes.vm.boot import Bench
from devbox.runtimes.vm.runtime import VmRuntime
from devbox.values import LABEL_WORKSPACE, GuestUser
from tests.support.command import Devbox

START_MOST = 500  # ms
ONE_MOST, ALL_MOST = 200 * MIB, 600 * MIB  # bytes
CPU_MOST = 500  # ms in ten seconds, of each
STARTS, TOGETHER = 10, 10
IDLE, REST = 10.0, 30.0  # seconds


class Clones:
    """Machines like the one of a project, each with a name, a directory and volumes of its own."""

    def __init__(self, devbox: Devbox) -> None:
        self._runtime = VmRuntime(
            Bench(
                engine=connect(os.environ, PROCESSES, SilentReporter()), processes=PROCESSES, reporter=SilentReporter()
            )
        )
        root = Path(paths.machines_root())
        (like,) = (known for one in root.iterdir() if (known := stored.read(one)))
        self._like = like
        self._home = devbox.home
        self._made: list[tuple[Instance, str]] = []

    def start(self) -> float:
        """Start one more and return how many seconds that took."""
        like, number = self._like, len(self._made)
        workspace = f"{os.getpid():08x}"[-6:] + f"{number:02}"
        directory = self._home / f"agent-{number}"
        directory.mkdir(exist_ok=True)
        paths.private_directory(str(Path(paths.machine_data(workspace)).parent))
        spec = InstanceSpec(
            name=f"devbox-bench-{workspace}",
            image=like.image,
            hostname=f"bench-{number}",
            user=GuestUser(name="root", uid=0, gid=0, home="/root"),
            workdir="/",
            agent=replace(like.agent, directory=str(directory)),
            env=like.env,
            volumes=like.volumes,
            resources=like.resources,
            labels=((LABEL_WORKSPACE, workspace),),
            machine=like.machine,
        )
        begin = time.monotonic()
        instance = self._runtime.create(spec)
        self._made.append((instance, workspace))
        instance.start()
        return time.monotonic() - begin

    @property
    def processes(self) -> list[int]:
        """QEMU's of each."""
        records = (Path(paths.machine_directory(one.name)) / paths.MACHINE_RECORD for one, _ in self._made)
        return [int(record.read_text(encoding="utf-8").split("\n")[2]) for record in records]

    def end(self) -> None:
        """Have none of them any more."""
        while self._made:
            instance, workspace = self._made.pop()
            instance.remove()
            Path(paths.machine_data(workspace)).unlink(missing_ok=True)


@contextlib.contextmanager
def clones(devbox: Devbox) -> Iterator[Clones]:
    """Have machines like the one that the project has; all of them go at the end."""
    before = os.environ["HOME"]
    os.environ["HOME"] = str(devbox.home)
    try:
        made = Clones(devbox)
        try:
            yield made
        finally:
            made.end()
    finally:
        os.environ["HOME"] = before


def starts(devbox: Devbox) -> Iterator[Amount]:
    """Look at how soon one is there, with all that it goes on from in the page cache, and with none of it."""
    with clones(devbox) as made:
        for name, most, cold in (("", START_MOST, False), (", nothing in the page cache", 0, True)):
            times = []
            for _ in range(STARTS):
                if cold:
                    _drop(Path(paths.machine_images()))
                times.append(made.start())
                made.end()
            said = f"start from the ready state{name}"
            yield Amount(name=said, value=int(statistics.median(times) * 1000), most=most or None, unit="ms")


def together(devbox: Devbox, init: str) -> Iterator[Amount]:
    """Look at what one takes that has nothing to do, and what ten take. `init`: how much of a system they have."""
    with clones(devbox) as made:
        made.start()
        time.sleep(REST)
        yield Amount(name=f"Rss of QEMU, one from the ready state, {init}", value=_memory(made, "Rss"), most=ONE_MOST)
        while len(made.processes) < TOGETHER:
            made.start()
        time.sleep(REST)
        yield Amount(name=f"Pss of {TOGETHER} of them together, {init}", value=_memory(made, "Pss"), most=ALL_MOST)
        before = _spent(made)
        time.sleep(IDLE)
        value = (_spent(made) - before) // TOGETHER
        yield Amount(name=f"CPU of each in {IDLE:g} idle seconds, {init}", value=value, most=CPU_MOST, unit="ms")


def _drop(place: Path) -> None:
    """Have the host forget what files below `place` hold; it reads them from the disk again."""
    for path in place.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _memory(made: Clones, what: str) -> int:
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in made.processes)
    return sum(int(one.partition(f"\n{what}:")[2].split()[0]) * 1024 for one in rollups)


def _spent(made: Clones) -> int:
    """Return how many ms of a processor all of them have had."""
    ticks = 0
    for pid in made.processes:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 // os.sysconf("SC_CLK_TCK")
