"""What the disks of a machine lie on, read from their headers by devbox itself.

QEMU is told each layer by its path, its format and as read-only, and that the last lies on nothing, so it follows no
header.
"""

from dataclasses import replace
from pathlib import Path

from devbox.errors import MachineError
from devbox.vm import disk
from devbox.vm.qemu_args import Drive, MachineSpec


def layered(spec: MachineSpec) -> MachineSpec:
    """Return `spec` with all that its disks lie on as it is now; `MachineError` if a disk cannot be read or is none."""
    return replace(spec, drives=tuple(replace(drive, below=tuple(chain(drive)[1:])) for drive in spec.drives))


def chain(drive: Drive) -> list[str]:
    """Return the file of `drive` and those below it; `MachineError` if one cannot be read or is none."""
    found = [drive.path]
    while drive.format == "qcow2" and (below := _below(Path(found[-1]))):
        if below in found:
            raise MachineError(f"{below} is damaged: it lies on itself", hint="make it anew: devbox destroy")
        found.append(below)
    return found


def _below(path: Path) -> str:
    try:
        return disk.backing_file(path)
    except OSError as error:
        why = f"{path} cannot be opened: {(error.strerror or str(error)).lower()}"
        raise MachineError(f"the machine cannot be started: {why}") from error
