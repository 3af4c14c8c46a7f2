"""A machine: its cold start against the same disk as Debian would boot it, a command in it against the container's.

    python -m benchmarks.vm [--quick]

The peer is in vm_peer.py. Both boot from disks in the page cache, accelerated alike: by what devbox finds to work here.
devbox is an install as pip makes it (installed.py). --quick has no such peer, whose disk alone takes a minute: a cold
start is compared with the container's. virtme-ng and Vagrant with libvirt are peers where they are installed, see
vm_others.py. Starts from what was kept of an image are in vm_ready.py.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import vm_others, vm_ready
from benchmarks.common import Amount, Comparison, Way, command, docker_command, measure, options, report
from benchmarks.installed import install
from benchmarks.running import run
from benchmarks.vm_peer import MIB, PROCESSES, Peer, peer
from devbox import paths
from devbox.reporter import SilentReporter
from devbox.vm.images import MachineImages
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project

PROFILE = """
runtime = "{runtime}"
[base]
image = "debian:12"
[resources]
memory = "1 GiB"
cpus = 2
"""
TARGETS = {"full": 0.45, "trimmed": 0.3, "minimal": 0.22}  # of the peer's time
EXEC_TARGET = 1.5  # of the container's
DISK_MOST = 10_000  # ms for one of 400 MB
MEMORY_MOST, CPU_MOST = 350 * MIB, 500  # bytes; ms in ten seconds
IDLE = 10.0  # seconds that it is looked at
PAIRS, COMMANDS, DISKS = 3, 60, 3
QUICK_STARTS, QUICK_COMMANDS = 1, 8
REST = 15.0  # seconds after the boot until there is nothing to do


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A project whose environment is a machine or a container, and the command of an install."""

    devbox: Devbox
    command: str

    def up(self, runtime: str, init: str = "") -> str:
        """Have its environment run; return the id of its image."""
        more = f'[vm]\ninit = "{init}"\n' if init else ""
        (self.devbox.directory / "devbox.toml").write_text(PROFILE.format(runtime=runtime) + more, encoding="utf-8")
        return str(self.devbox.json("up")["image"])

    def way(self, *words: str, halted: bool = False) -> Way:
        """Return how a command line is timed; `halted`: with an environment that does not run."""

        def prepare() -> None:
            os.chdir(self.devbox.directory)
            if halted:
                self.devbox("halt")

        argv = [self.command, *words]
        return Way(name=" ".join(("devbox", *words)), prepare=prepare, run=lambda: run(argv, self.devbox.environment))

    @property
    def qemu(self) -> int:
        """The process that its machine is."""
        root = self.devbox.home / ".local/state/devbox" / Path(paths.machines_root()).name
        (record,) = root.glob(f"*/{paths.MACHINE_RECORD}")
        return int(record.read_text(encoding="utf-8").split("\n")[2])


@contextlib.contextmanager
def benches() -> Iterator[tuple[Bench, Bench]]:
    """Have two projects, one for a machine and one for a container; all of it goes at the end."""
    with project(invoker()) as one, project(invoker()) as two, contextlib.chdir("/"):
        installed = install(one.home / "an install")
        account = replace(one.account, python=str(installed.python), search="")
        machine, container = (
            Bench(devbox=replace(plain, account=account), command=str(installed.command)) for plain in (one, two)
        )
        yield machine, container


def starts(machine: Bench, docker: str, left_out: list[str]) -> Iterator[Comparison]:
    """Compare cold starts, up to the end of the first command. `left_out`: is told which peers are not there."""
    image = machine.up("vm", "full")
    with peer(docker, image) as untuned:
        machine.devbox("halt")
        theirs = untuned.way()
        theirs.run()  # so that its disk is in the page cache, as ours is
        theirs.clean_up()
        for init, target in TARGETS.items():
            machine.up("vm", init)
            ours = replace(machine.way("shell", "--runtime", "vm", "--", "true", halted=True), name=f"devbox, {init}")
            stopped = replace(theirs, prepare=lambda: machine.devbox("halt"))  # both have the processors to themselves
            yield measure(f"cold start, {init} / {theirs.name}", ours, stopped, pairs=PAIRS, target=target)
        yield from against_others(machine, untuned, (docker, image), left_out)


def against_others(machine: Bench, untuned: Peer, origin: tuple[str, str], left_out: list[str]) -> Iterator[Comparison]:
    """Compare cold starts of the whole machine with those by tools of others, where they are installed."""
    machine.up("vm", "full")
    machine.devbox("halt")
    with vm_others.ready(untuned, *origin) as (others, missing):
        left_out += missing
        ours = replace(machine.way("shell", "--runtime", "vm", "--", "true", halted=True), name="devbox, full")
        for other in others:
            stopped = replace(other, prepare=lambda: machine.devbox("halt"))
            yield measure(f"cold start, full / {other.name}", ours, stopped, pairs=PAIRS, target=None)


def against_container(machine: Bench, container: Bench) -> Comparison:
    """Compare cold starts of the smallest machine and of the container."""
    machine.up("vm", "minimal")
    words = ("shell", "--", "true")
    ours, theirs = machine.way(*words, halted=True), replace(container.way(*words, halted=True), name="of a container")
    return measure("cold start, minimal / of a container", ours, theirs, pairs=QUICK_STARTS, target=None)


def rest(machine: Bench) -> None:
    """Wait until the machine has booted to its end, and has nothing to do."""
    machine.devbox("exec", "--", "systemctl", "is-system-running", "--wait", status=None)
    time.sleep(REST)


def anew(machine: Bench) -> Amount:
    """Have a new machine where there is none, by the command line and with the project in it."""
    times = []
    for _ in range(PAIRS):
        machine.devbox("destroy", "-f")
        way = machine.way("shell", "--", "true")
        way.prepare()
        begin = time.monotonic()
        way.run()
        times.append(time.monotonic() - begin)
    value = int(statistics.median(times) * 1000)
    return Amount(name="devbox shell -- true, where nothing is, project synced", value=value, most=None, unit="ms")


def commands(machine: Bench, container: Bench, count: int) -> Comparison:
    """Compare a command in what runs."""
    words = ("exec", "--", "true")
    ours, theirs = machine.way(*words), replace(container.way(*words), name="in a container")
    return measure("exec -- true / in a container", ours, theirs, pairs=count, target=EXEC_TARGET)


def idle(machine: Bench) -> Iterator[Amount]:
    """Look at what a machine takes in which nothing happens."""
    pid = machine.qemu
    before = _ticks(pid)
    time.sleep(IDLE)
    spent = (_ticks(pid) - before) * 1000 // os.sysconf("SC_CLK_TCK")
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    for name in ("Rss", "Pss"):
        value = int(rollup.partition(f"\n{name}:")[2].split()[0]) * 1024
        yield Amount(name=f"{name} of QEMU, an idle machine of 1 GiB", value=value, most=MEMORY_MOST)
    yield Amount(name=f"CPU of QEMU in {IDLE:g} idle seconds", value=spent, most=CPU_MOST, unit="ms")


def disk(docker: str, image: str) -> Amount:
    """Make the disk of an image a few times."""
    container = command(docker, "create", image, "true").strip()
    times, size = [], 0
    try:
        for _ in range(DISKS):
            with tempfile.TemporaryDirectory(prefix="devbox-bench-") as place:
                images = MachineImages(Path(place), PROCESSES, SilentReporter())
                begin = time.monotonic()
                made = images.prepared(image, lambda: _exported(docker, container))
                times.append(time.monotonic() - begin)
                size = made.disk.stat().st_size
    finally:
        command(docker, "rm", container)
    name = f"a disk of {size // 1_000_000} MB, from the export"
    return Amount(name=name, value=int(statistics.median(times) * 1000), most=DISK_MOST, unit="ms")


def _exported(docker: str, container: str) -> Iterator[bytes]:
    with subprocess.Popen([docker, "export", container], stdout=subprocess.PIPE) as process:
        assert process.stdout
        while piece := process.stdout.read(MIB):
            yield piece


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main() -> int:
    quick = options(__doc__).quick
    docker = docker_command()
    compared: list[Comparison] = []
    amounts: list[Amount] = []
    left_out = ["the cold start against peers, disk, memory, the ready state: not for --quick"] if quick else []
    with benches() as (machine, container):
        container.up("container")
        if quick:
            compared.append(against_container(machine, container))
        else:
            compared.extend(starts(machine, docker, left_out))
            image = machine.up("vm", "full")
            machine.devbox("halt")  # it would boot meanwhile
            amounts.append(disk(docker, image))
            machine.up("vm", "full")
            rest(machine)
            amounts.extend(idle(machine))
            amounts.extend(vm_ready.starts(machine.devbox))
            amounts.append(anew(machine))
            for init in TARGETS:
                machine.up("vm", init)
                amounts.extend(vm_ready.together(machine.devbox, init))
            machine.up("vm", "full")
            rest(machine)
        compared.append(commands(machine, container, QUICK_COMMANDS if quick else COMMANDS))
    return 0 if report("vm", compared, left_out, amounts) or quick else 1


if __name__ == "__main__":
    sys.exit(main())
