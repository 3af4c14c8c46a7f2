"""What a QEMU that may open nothing of its user's has instead: descriptors, and names by which it knows them.

- A disk has been opened the way it is to be used, and QEMU takes that very descriptor (`/dev/fdset/<number>`).
- What QEMU opens by itself, such as a kernel, it opens once more by `/proc/self/fd/<number>`. No directory is in the
  way then, but the file's own mode is: so all may read it, in a directory that is for this user alone.
- Its sockets have their names from here; it listens at them.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import MachineError
from devbox.vm.qemu_args import Drive, Handed, MachineSpec
from devbox.vm.sockets import bound

_READ: Final = stat.S_IROTH
_BOTH: Final = stat.S_IROTH | stat.S_IWOTH


@contextmanager
def handed_over(spec: MachineSpec) -> Iterator[tuple[MachineSpec, Handed]]:
    """Give `spec` in names that QEMU has by its descriptors, and those, which are to be inherited until the end.

    `spec` says what its disks lie on (see `layers`).

    `MachineError` if a file that is to be opened by others lies where others may look.
    """
    with ExitStack() as held:
        files: list[int] = []
        drives = tuple(_drive(drive, held, files) for drive in spec.drives)
        again: list[int] = []
        given = replace(
            spec,
            kernel=_again(spec.kernel, _READ, held, again) if spec.kernel else None,
            initrd=_again(spec.initrd, _READ, held, again) if spec.initrd else None,
            memory_file=_again(spec.memory_file, _BOTH, held, again) if spec.memory_file else None,
            drives=drives,
        )
        directory = Path(spec.directory)
        handed = Handed(
            control=held.enter_context(bound(directory / paths.MACHINE_CONTROL)).fileno(),
            line=held.enter_context(bound(directory / paths.MACHINE_LINE)).fileno(),
            private=_wire(spec, held),
            files=tuple(files),
            others=tuple(again),
        )
        yield given, handed


def _wire(spec: MachineSpec, held: ExitStack) -> int | None:
    return held.enter_context(bound(Path(spec.directory) / paths.MACHINE_WIRE)).fileno() if spec.private else None


@contextmanager
def kernel_over(kernel: str) -> Iterator[tuple[str, int]]:
    """Give the name by which QEMU opens `kernel` through the descriptor that it is to inherit until the end."""
    with ExitStack() as held:
        descriptors: list[int] = []
        yield _again(kernel, _READ, held, descriptors), descriptors[0]


def _drive(drive: Drive, held: ExitStack, files: list[int]) -> Drive:
    mode = os.O_RDONLY if drive.read_only else os.O_RDWR
    return replace(
        drive,
        path=_opened(drive.path, mode, held, files),
        below=tuple(_opened(one, os.O_RDONLY, held, files) for one in drive.below or ()),
    )


def _opened(path: str, mode: int, held: ExitStack, files: list[int]) -> str:
    files.append(_open(path, mode, held))
    return f"/dev/fdset/{files[-1]}"


def _again(path: str, bits: int, held: ExitStack, again: list[int]) -> str:
    """Open what QEMU opens once more, and see to it that it may: it needs all of `bits`."""
    again.append(_open(path, os.O_RDONLY | (os.O_CREAT if bits == _BOTH else 0), held))
    mode = stat.S_IMODE(os.fstat(again[-1]).st_mode)
    if mode & bits != bits:
        if Path(path).parent.stat().st_mode & stat.S_IXOTH:
            raise MachineError(f"QEMU cannot be given {path}, which lies where others may look", hint="see whose it is")
        os.fchmod(again[-1], mode | bits)
    return f"/proc/self/fd/{again[-1]}"


def _open(path: str, mode: int, held: ExitStack) -> int:
    try:
        descriptor = os.open(path, mode | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = f"{path} cannot be opened: {(error.strerror or str(error)).lower()}"
        raise MachineError(f"the machine cannot be started: {why}") from error
    held.callback(os.close, descriptor)
    return descriptor
