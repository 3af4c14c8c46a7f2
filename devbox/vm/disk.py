"""Disks of machines: a root file system without root, loop device or running guest; overlays; disks for data.

mke2fs fills the file system that it makes. Where it can read a tar (e2fsprogs 1.47.1 and newer) it is given that; else
the files are laid out first, by root, or by an ordinary user under fakeroot, so that owners and modes are those of the
tar. Everything that differs between two runs is set: UUID, seed of the directories' hashes, all dates.
"""

import glob
import os
import re
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from devbox.errors import CommandFailedError, MachineError, RuntimeUnavailableError
from devbox.faults import fault
from devbox.process import Processes
from devbox.vm.ext4 import settle_dates
from devbox.vm.rootfs import DAWN, RootFiles
from devbox.vm.scratch import scratch

ROOT_SIZE = 16 * 1024**3  # bytes that a root file system has, unless what it holds needs more; what is empty takes none
_PER_INODE = 16384  # bytes of the disk for each file that it can hold
_MINUTES = 15 * 60.0
_SBIN = ("/usr/sbin", "/sbin")  # which an ordinary user has not on PATH
_TAR_SINCE = (1, 47, 1)
_VERSION = re.compile(r"mke2fs (\d+)\.(\d+)(?:\.(\d+))?")
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum"
)
_QCOW2 = b"QFI\xfb"
_SPACE = uuid.UUID("6f5ac3e0-52a7-4c39-9d0e-6a3f1f1d2a51")  # of the UUIDs that are made from an image's id


class Way(Enum):
    """How a file system is filled."""

    TAR = "mke2fs reads the tar"
    ROOT = "root lays the files out"
    FAKEROOT = "fakeroot lays the files out"


def tool(processes: Processes, name: str, package: str) -> str:
    """Return what to call a program by; `RuntimeUnavailableError` with its package if it is not there."""
    if processes.which(name) is not None:
        return name
    found = next((f"{place}/{name}" for place in _SBIN if os.access(f"{place}/{name}", os.X_OK)), None)
    if found is None:
        raise RuntimeUnavailableError(
            f"virtual machines need {name}, which is not installed", hint=f"install it: apt-get install {package}"
        )
    return found


def ways(said: str, *, is_root: bool, has_fakeroot: bool) -> tuple[Way, ...]:
    """Return how a file system can be filled here, the best way first. Pure. `said`: by mke2fs, of its version."""
    match = _VERSION.search(said)
    version = tuple(int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    found = [Way.TAR] if version >= _TAR_SINCE else []
    if is_root:
        return (*found, Way.ROOT)
    return (*found, Way.FAKEROOT) if has_fakeroot else tuple(found)


def require_way(processes: Processes) -> tuple[Way, ...]:
    """Return how a file system can be filled here, the best way first; `RuntimeUnavailableError` if it cannot be."""
    said = processes.run([tool(processes, "mke2fs", "e2fsprogs"), "-V"], check=False)
    has_fakeroot = processes.which("fakeroot") is not None
    found = ways(said.stderr + said.stdout, is_root=os.geteuid() == 0, has_fakeroot=has_fakeroot)
    if not found:
        raise _no_way()
    return found


def draw(root: RootFiles, path: Path, processes: Processes, *, identity: str, left: ExitStack | None = None) -> None:
    """Write the files of `root` as an ext4 file system into the new file `path`, which is sparse.

    `identity`: what the file system's UUID is made from; with the same and the same files it is the same bytes. `left`:
    has to remove what that took, thousands of files, which nobody need wait for; None: they are gone already.
    """
    with ExitStack() as own:
        _draw(root, path, processes, identity, own if left is None else left)


def _draw(root: RootFiles, path: Path, processes: Processes, identity: str, left: ExitStack) -> None:
    found = require_way(processes)
    program = tool(processes, "mke2fs", "e2fsprogs")
    size = max(ROOT_SIZE, _rounded(2 * root.size), _rounded(2 * root.members * _PER_INODE))
    order = _Order(program=program, path=path, size=size, name=uuid.uuid5(_SPACE, identity), epoch=DAWN)
    for index, way in enumerate(found):
        try:
            _fill(root, order, way, processes, left)
        except CommandFailedError as error:
            if index + 1 < len(found):
                continue
            if way is Way.TAR and "libarchive" in (error.detail or ""):  # it was built without, or does not find it
                raise _no_way() from error
            raise
        else:
            settle_dates(path)
            return
    raise AssertionError("the last way either does it or raises")


def to_qcow2(raw: Path, path: Path, processes: Processes) -> None:
    """Write the disk `raw` as the qcow2 file `path`, which must not be there."""
    program = tool(processes, "qemu-img", "qemu-utils")
    processes.run([program, "convert", "-f", "raw", "-O", "qcow2", str(raw), str(path)], timeout=_MINUTES)


def to_raw(path: Path, raw: Path, processes: Processes) -> None:
    """Write what the qcow2 disk `path` holds as the file `raw`, which is sparse."""
    program = tool(processes, "qemu-img", "qemu-utils")
    processes.run([program, "convert", "-f", "qcow2", "-O", "raw", str(path), str(raw)], timeout=_MINUTES)


def overlay(base: Path, path: Path, size: int, processes: Processes) -> None:
    """Make `path` a disk on top of `base`, or let it grow, to at least `size` bytes; never smaller than it is.

    Raises `MachineError` if it is there and on top of another one.
    """
    program = tool(processes, "qemu-img", "qemu-utils")
    wanted = max(size, virtual_size(base))
    if path.exists():
        if backing_file(path) != str(base.absolute()):
            raise MachineError(f"{path} is a disk of another image than {base}", hint="make it anew: devbox destroy")
        _grow(path, wanted, program, processes)
        return
    with _new(path) as part:
        on = ["-b", str(base.absolute()), "-F", "qcow2"]
        processes.run([program, "create", "-q", "-f", "qcow2", *on, str(part), str(wanted)])


def data_disk(path: Path, size: int, processes: Processes) -> None:
    """Make `path` a disk with an empty ext4 file system of `size` bytes, or let it grow; never smaller than it is."""
    program = tool(processes, "qemu-img", "qemu-utils")
    if path.exists():
        _grow(path, _rounded(size), program, processes)
        return
    with _new(path) as part:
        raw = part.with_suffix(".raw")
        order = _Order(
            program=tool(processes, "mke2fs", "e2fsprogs"),
            path=raw,
            size=_rounded(size),
            name=uuid.uuid4(),
            epoch=0,
        )
        try:
            processes.run(order.argv(), env=order.env)
            to_qcow2(raw, part, processes)
        finally:
            raw.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what was left beside the disk `path` by whoever was killed while making it; nobody may be making it."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.[0-9]*.*"):
        left.unlink(missing_ok=True)


def virtual_size(path: Path) -> int:
    """Return how large the disk in a qcow2 file is, in bytes; `MachineError` if the file is none."""
    return int(struct.unpack_from(">Q", _header(path), 24)[0])


def backing_file(path: Path) -> str:
    """Return the path of what a qcow2 file lies on top of, as it is written there; empty for nothing."""
    offset, length = struct.unpack_from(">QI", _header(path), 8)
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(min(length, 1023)).decode("utf-8", "surrogateescape")


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(72)
    if len(data) < 72 or data[:4] != _QCOW2:
        raise MachineError(f"{path} is damaged: it is no disk", hint="make it anew: devbox destroy")
    return data


def _grow(path: Path, size: int, program: str, processes: Processes) -> None:
    if virtual_size(path) < size:
        processes.run([program, "resize", "-q", "-f", "qcow2", str(path), str(size)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A file system to be made."""

    program: str
    path: Path
    size: int
    name: uuid.UUID
    epoch: int

    def argv(self, source: Path | None = None) -> list[str]:
        # The storage is a new file, so that nothing needs to be zeroed, not even by the guest later.
        settings = f"hash_seed={self.name},root_owner=0:0,assume_storage_prezeroed=1"
        return [
            *(self.program, "-q", "-F", "-t", "ext4", "-O", _FEATURES, "-b", "4096", "-I", "256"),
            *("-i", str(_PER_INODE), "-m", "0", "-J", "size=64", "-e", "remount-ro"),
            *("-U", str(self.name), "-E", settings),
            *([] if source is None else ["-d", str(source)]),
            *(str(self.path), str(self.size // 4096)),
        ]

    @property
    def env(self) -> dict[str, str]:
        # The host's own mke2fs.conf has no say; the first of the dates is of old releases, the second of new ones. In
        # another locale it refuses an archive with any name that is not ASCII.
        dates = {"E2FSPROGS_FAKE_TIME": str(self.epoch), "SOURCE_DATE_EPOCH": str(self.epoch)} if self.epoch else {}
        return {"MKE2FS_CONFIG": os.devnull, "LC_ALL": "C.UTF-8", **dates}


def _fill(root: RootFiles, order: _Order, way: Way, processes: Processes, left: ExitStack) -> None:
    order.path.unlink(missing_ok=True)
    if way is Way.TAR:
        processes.run(order.argv(root.tar), env=order.env, timeout=_MINUTES)
        return
    place = left.enter_context(scratch(order.path.parent, size=root.size))
    files, state = place / "files", place / "state"
    files.mkdir()
    faked = way is Way.FAKEROOT
    processes.run(
        [*(["fakeroot", "-s", str(state), "--"] if faked else []), *_untar(root.tar, files)], timeout=_MINUTES
    )
    if faked and not (state.exists() and state.stat().st_size):  # then all would be root's, and nobody the wiser
        raise CommandFailedError("fakeroot did not say whose files it has laid out", hint="try again, or as root")
    before = ["fakeroot", "-i", str(state), "--"] if faked else []
    processes.run([*before, *order.argv(files)], env=order.env, timeout=_MINUTES)


def _untar(tar: Path, into: Path) -> Sequence[str]:
    keep = ("--numeric-owner", "--same-owner", "--same-permissions", "--xattrs", "--xattrs-include=security.capability")
    return ["tar", "--extract", f"--file={tar}", f"--directory={into}", *keep]


def _rounded(size: int) -> int:
    """Return `size` as whole GiB."""
    return -(-size // 1024**3) * 1024**3


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """Give a path beside `path` that becomes it, if all goes well."""
    sweep(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        yield part
        part.chmod(0o600)
        fault("keep disk")
        part.replace(path)
        fault("disk kept")
    finally:
        part.unlink(missing_ok=True)


def _no_way() -> RuntimeUnavailableError:
    return RuntimeUnavailableError(
        "the disk of a machine cannot be made by an ordinary user here: this mke2fs does not read archives",
        hint="install fakeroot, or e2fsprogs 1.47.1 or newer with libarchive13: apt-get install fakeroot",
    )
