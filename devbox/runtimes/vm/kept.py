"""Which of the disks that machines share a machine of this user stands on, or a snapshot (see `prune`)."""

import contextlib
from pathlib import Path

from devbox import paths
from devbox.errors import MachineError
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.runtimes.vm import shelf, stored
from devbox.vm import accel, disk, ready
from devbox.vm.images import MachineImages, key


def machine_images(processes: Processes, reporter: Reporter) -> MachineImages:
    """Return those of this user."""
    return MachineImages(Path(paths.machine_images()), processes, reporter)


def tidy(processes: Processes, reporter: Reporter) -> None:
    """Remove what commands that were killed have left while they were making an image, or a machine to begin with.

    Nothing runs any more by which they tried how fast a machine can be.
    """
    root = Path(paths.machine_images())
    accel.sweep(root, processes)
    machine_images(processes, reporter).tidy()
    for directory in root.glob("[0-9a-f]*"):
        ready.tidy(directory)


def needed() -> frozenset[str]:
    """Return the keys of the images of all machines: what each was made from, and what its disk says it lies on.

    Those of snapshots count as well: a disk that was kept is of no use without the one below it.

    A machine is known by its directory before its image is looked for, so one that is about to be made counts.
    """
    found = set(shelf.bases())
    root = Path(paths.machines_root())
    for directory in root.iterdir() if root.is_dir() else ():
        known = stored.read(directory)
        if known is not None:
            found.add(key(known.image))
        with contextlib.suppress(OSError, MachineError):  # no disk yet, or none any more
            found.add(Path(disk.backing_file(directory / paths.MACHINE_DISK)).parent.name)
    return frozenset(found)
