"""Machines that have booted and are nobody yet, kept once for all that are to be like them: these go on from there.

| below the directory of an image | what it is |
|---|---|
| `ready-<16 hex>/memory` | all that was in memory; each that goes on from it keeps what it changes to itself |
| `ready-<16 hex>/state` | what else QEMU must know |
| `ready-<16 hex>/root.qcow2` | its root disk as it stood then, on top of the image's |
| `ready-<16 hex>/data.qcow2` | the disk for volumes that it had, new ones; mounted, or never looked into |
| `ready-<16 hex>/places` | where those volumes are mounted, a NUL between them |
| `ready-<16 hex>/initrd` | what it was booted with; QEMU wants to have it again |
| `ready-<16 hex>/under` | what it was saved under; without it there is none |
| `ready.lock` | flock of whoever makes one |
| `making-ready-<8>/` | one that is being made, or was when devbox was killed |
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbox.faults import fault
from devbox.process import Processes
from devbox.vm import qemu_args, snapshot, under
from devbox.vm.copying import copy, to_disk
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from devbox.vm.under import Under

MEMORY: Final = "memory"
STATE: Final = "state"
ROOT: Final = "root.qcow2"
DATA: Final = "data.qcow2"
INITRD: Final = "initrd"
UNDER: Final = "under"
PLACES: Final = "places"
_READY: Final = "ready-"
_MAKING: Final = "making-ready-"
_LOCK: Final = "ready.lock"
_MOST: Final = 3  # that are kept of one image


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One. `known.spec` is that of the machine that was nobody."""

    directory: Path
    known: Under

    @property
    def mac(self) -> str:
        """The hardware address that it has until it is told another."""
        return qemu_args.mac(self.known.spec.uuid)

    @property
    def places(self) -> tuple[str, ...]:
        """Where the volumes are that it has mounted. `OSError` if it has none."""
        return tuple(filter(None, os.fsdecode((self.directory / PLACES).read_bytes()).split("\0")))

    def spec(self, like: MachineSpec, initrd: Path) -> MachineSpec:
        """Return what the machine `like` is started from to go on from here. `initrd`: where it has a copy of this."""
        with contextlib.suppress(OSError):
            os.utime(self.directory / UNDER)  # those that nobody has used for longest go first
        return replace(
            like,
            initrd=str(initrd),
            command_line=self.known.spec.command_line,
            accelerator=self.known.spec.accelerator,
            memory_file=str(self.directory / MEMORY),
            memory_kept=True,
        )

    def resume(self, machine: Machine, spec: MachineSpec, meanwhile: Callable[[], object]) -> None:
        """Start `machine` from here. See `snapshot.resume` for what it raises, and for `meanwhile`."""
        snapshot.resume(machine, spec, self.directory / STATE, version=self.known.version, meanwhile=meanwhile)

    def forget(self) -> None:
        """Have it no more; machines that go on from it do not care."""
        (self.directory / UNDER).unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def key(spec: MachineSpec, *, agent: str, sizes: tuple[int, ...], mounted: tuple[str, ...] | None) -> str:
    """Return the name (16 hex) of what machines have in common that can go on from one. Pure.

    `agent`: the build of the agent's program; `sizes`: of the disks, in bytes; `mounted`: the disk for volumes is the
    one that is kept with it, and this is what its volumes have in common; None: it is not.
    """
    return hashlib.sha256(f"{snapshot.digest(spec, '')} {agent} {sizes} {mounted}".encode()).hexdigest()[:16]


def find(image: Path, name: str, processes: Processes) -> Ready | None:
    """Return the one of this name below the directory of an image; None if there is none that could go on here."""
    directory = image / f"{_READY}{name}"
    known = under.read(directory / UNDER)
    if known is None or under.elsewhere(known, processes):
        return None
    return Ready(directory=directory, known=known)


@contextlib.contextmanager
def making(image: Path, waiting: Callable[[], None]) -> Iterator[Path]:
    """Give an empty directory for one that is to be made, gone at the end unless `keep` has been called.

    One process at a time is let in; `waiting` is called by those that have to wait.
    """
    with (image / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        _clear(image)
        draft = Path(tempfile.mkdtemp(prefix=_MAKING, dir=image))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def tidy(image: Path) -> None:
    """Remove what one that was killed has left while it was making one, unless one is being made now."""
    with contextlib.suppress(OSError), (image / _LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _clear(image)


def _clear(image: Path) -> None:
    """Remove what one that was killed has left; nobody else holds the lock."""
    for left in image.glob(f"{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)


def memory_of(draft: Path, size: int) -> Path:
    """Return a new file for the memory of a machine, `size` in bytes, this user's alone."""
    path = draft / MEMORY
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
    return path


def keep(machine: Machine, started: Under, draft: Path, name: str) -> None:
    """Keep what runs in `machine`, whose memory is that in `draft`, and end it.

    `started`: what it is under. `MachineError` or `OSError` if it cannot be kept; then nothing of it is.
    """

    def noted(_: Path, version: str) -> None:
        copy(machine.disk, draft / ROOT)
        copy(Path(started.spec.initrd or ""), draft / INITRD)
        under.write(draft / UNDER, replace(started, version=version))

    snapshot.save(machine, draft / STATE, memory_apart=True, note=noted)
    for one in draft.iterdir():
        to_disk(one)
    to_disk(draft)
    place = draft.parent / f"{_READY}{name}"
    shutil.rmtree(place, ignore_errors=True)
    fault("keep a ready machine")
    draft.rename(place)
    to_disk(place.parent)
    fault("ready machine kept")
    _sweep(place)


def _sweep(kept: Path) -> None:
    """Leave only the last few of an image: there is one for each size of a machine, QEMU and build of the agent."""
    with contextlib.suppress(OSError):
        others = {(one / UNDER).stat().st_mtime: one for one in kept.parent.glob(f"{_READY}*") if one != kept}
        for _, one in sorted(others.items(), reverse=True)[_MOST - 1 :]:
            shutil.rmtree(one, ignore_errors=True)
