"""From a disk that devbox has not made to a machine: it boots by its own loader, and a seed tells it who it is."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.errors import MachineError, UnattachedError
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.runtimes.vm.boot import DATA_SIZE, EMULATION, MEMORY, ROOT_SIZE, Bench, cpus, require_base, run, say
from devbox.runtimes.vm.inner import SERIAL
from devbox.runtimes.vm.reach import CONSOLE_HINT, Reach, Sshd, free_port
from devbox.runtimes.vm.stored import Stored
from devbox.values import LABEL_WORKSPACE
from devbox.vm import disk, firmware, keys, network, proof, qemu, seed
from devbox.vm.copying import copy
from devbox.vm.foreign import ForeignDisk, ForeignDisks, Source
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import Drive, MachineSpec, mac

SEED: Final = "seed.iso"  # in the machine's directory
VARIABLES: Final = "uefi"  # what UEFI keeps
ATTACHED: Final = "attached"  # a file: the agent has been in it, and comes by itself
UNATTACHED: Final = "unattached"  # a file: it runs, and no agent has come
BOOTING: Final = 600.0  # seconds for the agent to answer: a first boot has more to do than any later one


def foreign_disks(processes: Processes, reporter: Reporter) -> ForeignDisks:
    """Return those of this user."""
    return ForeignDisks(Path(paths.machine_images()), processes, reporter)


def found(stored: Stored, bench: Bench) -> ForeignDisk:
    """Return the disk that a machine stands on; taken over again if it is not there."""
    assert stored.machine.base is not None, "it stands on an image that devbox has made"
    source = Source(place=stored.machine.base, sha256=stored.image.removeprefix("sha256:"))
    return foreign_disks(bench.processes, bench.reporter).prepared(source)


def base_of(stored: Stored, bench: Bench) -> str:
    """Return the digest of the disk that the machine's lies on top of."""
    return found(stored, bench).sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`tells`: whether the agent answers. `wait`: until what it is given tells that the waiting is over."""

    tells: Callable[[], bool]
    wait: Callable[[Callable[[], bool]], None]


def booted(machine: Machine, stored: Stored, directory: Path, bench: Bench, way: Way) -> None:
    """Have all that the machine needs, and boot it until its agent answers; see `boot.booted`.

    `UnattachedError` if it is there, and nobody brings the agent; then it runs.
    """
    base = found(stored, bench)
    require_base(machine, base.sha256, directory, bench)
    disk.overlay(base.disk, machine.disk, stored.machine.disk or ROOT_SIZE, bench.processes)
    data = Path(paths.machine_data(stored.labels[LABEL_WORKSPACE]))
    disk.data_disk(data, DATA_SIZE, bench.processes)
    found_keys = _write_seed(stored, directory)
    sshd = None if (directory / ATTACHED).exists() else _sshd(stored)
    drives = (
        *_flash(base, directory),
        Drive(path=str(machine.disk), format="qcow2", serial="devbox-root"),
        Drive(path=str(data), format="qcow2", serial=SERIAL),
        Drive(path=str(directory / SEED), format="raw", serial=seed.SERIAL, read_only=True),
    )
    spec = MachineSpec(
        name=stored.name,
        uuid=stored.id,
        cpus=cpus(stored.resources.cpus),
        memory=stored.resources.memory or MEMORY,
        kernel=None,
        command_line="",
        drives=drives,
        directory=str(directory),
        accelerator=EMULATION,
        private=stored.machine.private,
        sshd=sshd.port if sshd else 0,
        root_key=base64.b64encode(f"{found_keys.public}\n".encode()).decode("ascii") if sshd else "",
    )
    say(bench, network.lacking(bench.processes))
    reach = Reach(directory, bench.processes, way.tells, sshd)
    run(machine, spec, bench, lambda: way.wait(reach.found), proof=proof.kernel(Path(paths.machine_images())))
    if not reach.attached:
        record.write_text(str(directory / UNATTACHED), "")
        raise unattached(stored.name, directory)


def has_come(directory: Path) -> None:
    """Note that the agent is in the machine of `directory`: it comes by itself from now on."""
    if not (directory / ATTACHED).exists():
        record.write_text(str(directory / ATTACHED), "")
    (directory / UNATTACHED).unlink(missing_ok=True)


def unattached(name: str, directory: Path) -> UnattachedError:
    """Return the error of a machine that runs, in which there is no agent."""
    return UnattachedError(
        f"{name} runs, and devbox is not inside: the disk's system has neither taken the seed nor let devbox in by ssh",
        directory=str(directory),
        hint=CONSOLE_HINT,
    )


def _sshd(stored: Stored) -> Sshd:
    """Return the sshd that may be inside, for as long as the agent has never been there."""
    assert stored.user is not None, "what it was made from says who the user is"
    users = ("root",) if stored.user.is_root else ("root", stored.user.name)
    return Sshd(port=free_port(), users=users, alias=f"devbox-{stored.id}")


def _flash(base: ForeignDisk, directory: Path) -> tuple[Drive, ...]:
    if base.firmware == firmware.BIOS:
        return ()
    found = firmware.uefi(qemu.architecture())
    kept = directory / VARIABLES
    if not kept.exists():
        try:
            copy(found.variables, kept)
        except OSError as error:
            raise MachineError(f"{kept} cannot be written: {error.strerror}", hint="make room on that disk") from error
    return (
        Drive(path=str(found.code), format="raw", serial="devbox-uefi", read_only=True, flash=True),
        Drive(path=str(kept), format="raw", serial="devbox-uefi-kept", flash=True),
    )


def _write_seed(stored: Stored, directory: Path) -> keys.Keys:
    """Write it anew for each boot, since the agent may be another one by now; return the machine's keys."""
    assert stored.user is not None, "what it was made from says who the user is"
    told = seed.Seed(
        instance=stored.id,
        hostname=stored.hostname,
        user=stored.user,
        identity=stored.spec_digest,
        environment=dict(stored.env),
        mac=mac(stored.id),
        program=Path(stored.agent.program).read_bytes(),
        keys=keys.ensure(directory),
        private=stored.machine.private,
    )
    draft = directory / f"{SEED}.new"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(seed.disk(told))
    draft.replace(directory / SEED)
    return told.keys
