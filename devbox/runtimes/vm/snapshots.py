"""Snapshots of a machine: its disks, copied while it stands still, and what is in its memory if it runs."""

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import SnapshotError
from devbox.faults import fault
from devbox.process import Processes
from devbox.runtimes import snapshots
from devbox.runtimes.snapshots import Return, Snapshot, Wish
from devbox.runtimes.vm import putting_back
from devbox.runtimes.vm.boot import BASE
from devbox.runtimes.vm.shelf import ATTACHED, DATA, INITRD, MEMORY, ROOT, UNDER, About, Kept, shelf_of
from devbox.runtimes.vm.stored import Stored
from devbox.values import LABEL_WORKSPACE
from devbox.vm import snapshot, under
from devbox.vm.copying import copy, digest, link
from devbox.vm.machine import Machine
from devbox.vm.under import Under

_BOOT: Final = "to boot from its disks: devbox snapshot restore {} --boot"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """What the snapshots need of their machine. `content`: returns the digest of the disk below its own, as it is."""

    machine: Machine
    directory: Path
    stored: Stored
    processes: Processes
    content: Callable[[], str]
    write_back: Callable[[], None]  # what was written inside is on its disks afterwards
    end: Callable[[], None]  # at once; no-op if it does not run

    @property
    def workspace(self) -> str:
        """The hash of the Workspace that it belongs to."""
        return self.stored.labels[LABEL_WORKSPACE]

    @property
    def data(self) -> Path:
        """The disk of its volumes."""
        return Path(paths.machine_data(self.workspace))


class VmSnapshots:
    """Those of one machine; see `runtimes.snapshots.Snapshots`."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._shelf = shelf_of(owner.workspace)

    def all(self) -> tuple[Snapshot, ...]:
        """Return them, the oldest first."""
        return tuple(one.seen() for one in self._shelf.all())

    def save(self, wish: Wish) -> Snapshot:
        """Keep how it is; see the protocol."""
        owner = self._owner
        if not wish.replace and self._shelf.find(wish.name):
            raise snapshots.taken(wish.name)
        self.finish()
        if not owner.machine.disk.exists():
            raise snapshots.nothing_to_keep(owner.directory.name)
        with _explained(f"the snapshot {wish.name} cannot be kept"), self._shelf.draft() as making:
            content = (owner.directory / BASE).read_text(encoding="ascii")
            self._take(making)
            if wish.attached:
                copy(wish.attached, making / ATTACHED)
            about = About(
                name=wish.name,
                saved=int(time.time()),
                pushed=wish.pushed,
                mark=wish.mark,
                image=owner.stored.image,
                content=content,
                spec=owner.stored.spec_digest,
            )
            return self._shelf.put(making, about).seen()

    def restore(self, back: Return) -> Snapshot:
        """Let the machine be as it was; see the protocol."""
        self.finish()
        self._shelf.sweep()
        kept, about = self._known(back.name)
        self._require_same(about)
        known = self._memory(kept, about) if back.running else None
        what = f"the snapshot {about.name} cannot be restored"
        with _explained(what), putting_back.making(self._owner.workspace) as draft:
            self._lay_ready(kept, about, draft, known)
            back.before()
            self._owner.end()
            fault("machine ended for a snapshot")
            putting_back.decided(draft, self._plan(about, back.attached))
            self.finish()
        return kept.seen()

    def delete(self, name: str) -> Snapshot:
        """Take one away; see the protocol."""
        return delete(self._owner.workspace, name)

    def finish(self) -> None:
        """Carry out to its end what a restore that was killed had decided; to be called before the machine starts."""
        if not self._owner.machine.running():
            putting_back.finish(self._owner.workspace, image=self._owner.stored.image)

    def sweep(self) -> None:
        """Remove what one that was killed has left of a snapshot; the Workspace's lock is held."""
        self._shelf.sweep()

    def _take(self, making: Path) -> None:
        """Have in `making` the machine's disks, and what is in its memory if it runs or was saved."""
        owner = self._owner
        if not owner.machine.running():
            self._take_disks(making)
            self._take_saved(making)
            return
        snapshot.go_on(owner.machine)
        known = under.require(under.read(owner.directory / paths.MACHINE_STARTED))
        owner.write_back()

        def stands(version: str) -> None:
            self._take_disks(making)
            self._take_initrd(making, replace(known, version=version))

        snapshot.capture(owner.machine, making / MEMORY, meanwhile=stands)

    def _take_disks(self, making: Path) -> None:
        copy(self._owner.machine.disk, making / ROOT)
        if self._owner.data.exists():
            copy(self._owner.data, making / DATA)

    def _take_saved(self, making: Path) -> None:
        """Take what `suspend` has kept, unless it could not go on."""
        state = self._owner.machine.state
        known = under.read(self._owner.directory / paths.MACHINE_SAVED)
        if not state.exists() or known is None or under.changed(known, state):
            return
        link(state, making / MEMORY)
        self._take_initrd(making, replace(known, state="", files=()))

    def _take_initrd(self, making: Path, known: Under) -> None:
        """QEMU reads it again when what was in memory goes on; each boot writes another one."""
        if known.spec.initrd:
            copy(Path(known.spec.initrd), making / INITRD)
        under.write(making / UNDER, known)

    def _known(self, name: str) -> tuple[Kept, About]:
        kept = self._shelf.find(name)
        if kept is None:
            raise snapshots.not_there(name)
        problem = kept.seen().problem
        if kept.about is None or problem:
            raise snapshots.damaged(name, problem)
        return kept, kept.about

    def _require_same(self, about: About) -> None:
        """Refuse a disk that lies on another one than the machine's: an overlay holds only what differs."""
        if about.image != self._owner.stored.image:
            raise SnapshotError(
                f"the snapshot {about.name} is of another image than the environment has now",
                hint="put devbox.toml and devbox.lock back as they were then, devbox up, and restore it again",
            )
        if about.content != self._owner.content():
            raise SnapshotError(
                f"the disk below the snapshot {about.name} is another one now, so that it fits no more",
                hint=f"it is of no use on this machine: devbox snapshot delete {about.name}",
            )

    def _memory(self, kept: Kept, about: About) -> Under | None:
        """Return what the memory was saved under; None if it was not. `SnapshotError` if it cannot go on here."""
        if not kept.seen().running:
            return None
        known = under.read(kept.directory / UNDER)
        if known is None:
            raise snapshots.damaged(about.name, "nothing says what its memory was saved under")
        why = under.elsewhere(known, self._owner.processes) or under.outdated(known, self._owner.processes)
        if about.spec != self._owner.stored.spec_digest:
            why = "the settings of the machine are others now"
        if why:
            raise SnapshotError(
                f"what ran in the snapshot {about.name} cannot go on: {why}", hint=_BOOT.format(about.name)
            )
        return known

    def _lay_ready(self, kept: Kept, about: About, draft: Path, known: Under | None) -> None:
        """Have its files in `draft`, each looked at."""
        for name, _, wanted in about.files:
            if known is None and name in (MEMORY, INITRD, UNDER):
                continue
            (link if name == MEMORY else copy)(kept.directory / name, draft / name)
            if digest(draft / name) != wanted:
                raise snapshots.damaged(about.name, f"{name} is not what was saved")
        fault("snapshot lies ready")

    def _plan(self, about: About, attached: Path) -> putting_back.Plan:
        owner = self._owner
        return putting_back.Plan(
            directory=str(owner.directory),
            image=about.image,
            content=about.content,
            data=str(owner.data),
            attached=str(attached),
        )


def kept_of(path_hash: str) -> tuple[Snapshot, ...]:
    """Return the snapshots of a Workspace, the oldest first, whether its machine is there or not."""
    return tuple(one.seen() for one in shelf_of(path_hash).all())


def delete(path_hash: str, name: str) -> Snapshot:
    """Take away the snapshot of a Workspace that has this name, and return it; `UsageError` if there is none."""
    shelf = shelf_of(path_hash)
    kept = shelf.find(name)
    if kept is None:
        raise snapshots.not_there(name)
    seen = kept.seen()
    with _explained(f"the snapshot {name} cannot be taken away"):
        shelf.delete(kept)
    return seen


def clear(path_hash: str) -> None:
    """Take away every snapshot of a Workspace, and what is left of any."""
    shelf_of(path_hash).clear()


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "make room there: devbox snapshot list, and delete what nobody needs" if full else None
        where = f" ({error.filename})" if error.filename else ""
        raise SnapshotError(f"{what}: {(error.strerror or str(error)).lower()}{where}", hint=hint) from error
