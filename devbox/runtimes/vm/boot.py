"""From what a machine was made from to one that boots: its image, its disks, its initial RAM disk, its arguments."""

import contextlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.engine.base import Engine, Labels
from devbox.engine.exported import exported
from devbox.errors import MachineError
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.runtimes.vm import saving
from devbox.runtimes.vm.inner import SERIAL
from devbox.runtimes.vm.kept import machine_images
from devbox.runtimes.vm.stored import Stored
from devbox.values import LABEL_WORKSPACE
from devbox.vm import accel, account, disk, initramfs, network, qemu
from devbox.vm.images import MachineImage
from devbox.vm.machine import Machine, SilentError, refuse
from devbox.vm.qemu_args import ADDRESS, GATEWAY, NAME_SERVER, Drive, MachineSpec, console_name, private_mac

EMULATION: Final = "tcg"
BASE: Final = "base"  # in the machine's directory: the digest of what its disk stands on
INITRD: Final = "initrd"  # in the machine's directory
MEMORY: Final = 2 << 30  # bytes, where the profile says nothing
CPUS: Final = 2
ROOT_SIZE: Final = 20 << 30  # bytes that the root disk may grow to
DATA_SIZE: Final = 32 << 30  # the same of the disk with the volumes
NETWORK: Final = f"{ADDRESS} {GATEWAY} {NAME_SERVER}"
_TOLD: Final = "quiet loglevel=4 panic=-1 rw"
# A virtual timer is wired as it should be. A kernel that counts its ticks to find out panics where QEMU's clock, a
# thread beside that of the guest, has to wait for a processor of a busy host.
_TOLD_X86: Final = "no_timer_check"
# Under emulation alone, where they cost half a second and a fifth of each start of a program. What they guard against
# is one's own programs inside: nothing of the host can be reached by it.
_EMULATED: Final = "mitigations=off cryptomgr.notests norandmaps init_on_alloc=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What it takes of the host. `engine` holds the images."""

    engine: Engine
    processes: Processes
    reporter: Reporter


def booted(machine: Machine, stored: Stored, directory: Path, bench: Bench, await_agent: Callable[[], None]) -> None:
    """Have all that the machine needs, and boot it until `await_agent` is content.

    `MachineError` if it cannot be had or does not come up; then it does not run.
    """
    image = machine_image(stored.image, stored.labels, bench)
    require_base(machine, image.content, directory, bench)
    lay_root(image, machine, stored, bench)
    data = data_of(stored)
    disk.data_disk(data, DATA_SIZE, bench.processes)
    told = identity(stored, now=int(time.time()))
    (directory / INITRD).write_bytes(initrd(stored, image, told))
    say(bench, network.lacking(bench.processes))
    run(machine, spec_of(stored, machine, directory, image, data), bench, await_agent)


def lay_root(image: MachineImage, machine: Machine, stored: Stored, bench: Bench) -> None:
    """Have a root disk of the machine's own, as large as it is to be."""
    disk.overlay(image.disk, machine.disk, stored.machine.disk or ROOT_SIZE, bench.processes)


def data_of(stored: Stored) -> Path:
    """Return where the disk with the volumes of its Workspace lies."""
    return Path(paths.machine_data(stored.labels[LABEL_WORKSPACE]))


def run(
    machine: Machine, spec: MachineSpec, bench: Bench, await_agent: Callable[[], None], *, proof: Path | None = None
) -> None:
    """Start `machine` by what this host can run it by, until `await_agent` is content.

    `proof`: for one without a kernel of ours, another that shows whether acceleration works; without any it is
    emulated. One that was accelerated and did not come up is tried once more by emulation. If that helps, the next ones
    with its kernel begin with it; else it was something else, and nothing is held against the acceleration. An emulated
    one in which nobody answers, though its kernel says of nothing that it is wrong, is started once more, too: that was
    seen once among hundreds of boots on a busy host, and not understood.
    """
    fastest = by_fastest(spec, bench, proof=proof)
    try:
        _start(machine, fastest, bench, await_agent)
    except MachineError as error:
        if fastest.accelerator == EMULATION:
            if not isinstance(error, SilentError) or not spec.kernel:
                raise
            say(bench, f"{error.message}; it is started once more")
            _start(machine, fastest, bench, await_agent)
            return
        machine.kill()
        accelerator = accel.instead()
        say(bench, accelerator.why)
        _start(machine, _by(spec, accelerator.name), bench, await_agent)
        if spec.kernel:
            accel.distrust(qemu.find(bench.processes), Path(spec.kernel), Path(paths.machine_images()))


def by_fastest(spec: MachineSpec, bench: Bench, *, proof: Path | None = None) -> MachineSpec:
    """Return `spec` as this host runs it best; `MachineError` if it cannot run it at all. `proof`: see `run`."""
    refuse(_by(spec, EMULATION))
    program, cache = qemu.find(bench.processes), Path(paths.machine_images())
    kernel = Path(spec.kernel) if spec.kernel else proof
    say(bench, account.why_root(program))
    accelerator = accel.choose(program, kernel, cache, bench.processes) if kernel else accel.unproved()
    say(bench, accelerator.why)
    return _by(spec, accelerator.name)


def _start(machine: Machine, spec: MachineSpec, bench: Bench, await_agent: Callable[[], None]) -> None:
    saving.note(Path(spec.directory), spec, bench.processes)
    machine.start(spec)
    await_agent()


def require_base(machine: Machine, content: str, directory: Path, bench: Bench) -> None:
    """Have no root disk on top of another one than it was made on: the one below may have been deleted and made anew.

    `content`: the digest of the one below as it is. An overlay holds what differs, so on other bytes it is none. It is
    put aside; volumes are on a disk of their own.
    """
    known = directory / BASE
    if machine.disk.exists() and known.exists() and known.read_text(encoding="ascii") != content:
        aside = machine.disk.with_name(f"{machine.disk.name}.aside")
        machine.disk.replace(aside)
        bench.reporter.warn(
            f"the disk below that of {machine.disk.parent.name} is another one now, so its own is made anew"
        )
    record.write_text(str(known), content)


def say(bench: Bench, word: str | None) -> None:
    """Tell the user, if there is anything."""
    if word:
        bench.reporter.note(word)


def spec_of(stored: Stored, machine: Machine, directory: Path, image: MachineImage, data: Path) -> MachineSpec:
    """Return what `machine` is started from, emulated. `data`: the disk with its volumes."""
    return MachineSpec(
        name=stored.name,
        uuid=stored.id,
        cpus=cpus(stored.resources.cpus),
        memory=stored.resources.memory or MEMORY,
        kernel=str(image.kernel),
        initrd=str(directory / INITRD),
        command_line=f"{command_line(qemu.architecture())} {image.parameters}".strip(),
        drives=(
            Drive(path=str(machine.disk), format="qcow2", serial="devbox-root"),
            Drive(path=str(data), format="qcow2", serial=SERIAL),
        ),
        directory=str(directory),
        accelerator=EMULATION,
        private=stored.machine.private,
        share=stored.share.source if stored.share else "",
    )


def command_line(architecture: str) -> str:
    """Return what any kernel is told on the board of this architecture, as QEMU calls it. Pure."""
    more = f" {_TOLD_X86}" if architecture == "x86_64" else ""
    return f"console={console_name(architecture)} {_TOLD}{more}"


def cpus(wanted: float | None) -> int:
    """Return how many a machine has: whole ones, unlike a container's share of the host's."""
    return max(1, math.ceil(wanted)) if wanted else min(CPUS, os.cpu_count() or 1)


def _by(spec: MachineSpec, accelerator: str) -> MachineSpec:
    more = f" {_EMULATED}" if accelerator == EMULATION and spec.kernel else ""
    return replace(spec, accelerator=accelerator, command_line=spec.command_line + more)


def identity(stored: Stored, *, now: int) -> initramfs.Identity:
    """Return what the machine is told as it boots. Pure. `now`: the host's clock."""
    return initramfs.Identity(
        agent=stored.spec_digest,
        hostname=stored.hostname,
        environment=dict(stored.env),
        network=NETWORK,
        private=f"{private_mac(stored.machine.private)} {stored.machine.private}" if stored.machine.private else None,
        init="agent" if stored.machine.init == "minimal" else "/sbin/init",
        epoch=now,
    )


def base_of(stored: Stored, bench: Bench) -> str:
    """Return the digest of the disk that the machine's lies on top of; made anew if it is not there."""
    return machine_image(stored.image, stored.labels, bench).content


def machine_image(image_id: str, labels: Labels, bench: Bench) -> MachineImage:
    """Return the files that machines of an image share; made if they are not there. `labels`: of who looks into it."""
    images = machine_images(bench.processes, bench.reporter)
    with contextlib.ExitStack() as opened:
        return images.prepared(
            image_id,
            lambda: opened.enter_context(exported(bench.engine, image_id, labels)),
        )


def initrd(stored: Stored, image: MachineImage, told: initramfs.Identity) -> bytes:
    """Return the initial RAM disk of a machine that is `told` who it is."""
    program = initramfs.agent_archive(Path(stored.agent.program).read_bytes())
    return image.modules.read_bytes() + program + initramfs.machine_archive(told)
