"""What machines of one image share: its kernel, its first initial RAM file system, its disk. Made once, then kept.

| below the root | what it is |
|---|---|
| `lock` | flock of whoever makes one |
| `<16 hex>/kernel` | for QEMU: uncompressed where it can be entered that way |
| `<16 hex>/initrd` | the agent's program and the modules that the root file system needs |
| `<16 hex>/disk.qcow2` | the root file system; read-only, machines have overlays on it |
| `<16 hex>/content` | digest of that disk: another e2fsprogs puts the same files elsewhere |
| `<16 hex>/release` | the kernel's version; written last of them |
| `making-<8>/` | one that is being made, or was when devbox was killed |
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.errors import CommandFailedError, MachineError
from devbox.faults import fault
from devbox.process import Processes
from devbox.reporter import Progress, Reporter
from devbox.tarstream import TarStreamError
from devbox.vm.disk import draw, to_qcow2
from devbox.vm.ext4 import Ext4Error
from devbox.vm.initramfs import image_archive
from devbox.vm.kernel import KernelError, bootable, module_name, module_order, newest, unpacked
from devbox.vm.rootfs import RootFiles, write_root

FORMAT = 1  # of what is kept; another number, and all is made anew
_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineImage:
    """The files of one image, absolute. `content`: digest (hex) of the disk; `release`: the kernel's version."""

    kernel: Path
    initrd: Path
    disk: Path
    content: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """An image that is to be made; see `MachineImages.prepared`."""

    image_id: str
    export: Callable[[], Iterator[bytes]]
    program: bytes
    epoch: int

    @property
    def key(self) -> str:
        text = f"{FORMAT} {self.image_id} {hashlib.sha256(self.program).hexdigest()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class MachineImages:
    """The images below one directory."""

    def __init__(self, root: Path, processes: Processes, reporter: Reporter) -> None:
        self._root = root
        self._processes = processes
        self._reporter = reporter

    def prepared(
        self, image_id: str, export: Callable[[], Iterator[bytes]], *, agent: Path, epoch: int = 0
    ) -> MachineImage:
        """Return the files of an image; made if they are not there, by one process at a time.

        `export`: gives the root file system as a tar stream. `agent`: the agent's program for that system. `epoch`: no
        date in it is later, in seconds; 0 if none is known. Raises `MachineError` for an image that no machine can
        boot, `RuntimeUnavailableError` if a program is missing that makes disks.
        """
        order = _Order(image_id=image_id, export=export, program=agent.read_bytes(), epoch=epoch)
        place = self._root / order.key
        known = _known(place)
        if known is not None:
            return known
        try:
            with self._reporter.step("make the machine's disk") as progress, self._locked(progress):
                return _known(place) or self._made(place, order, progress)
        except OSError as error:
            raise MachineError(
                f"{self._root}, where the disks of machines lie, cannot be written: "
                f"{(error.strerror or str(error)).lower()}",
                hint="make room there, or set XDG_CACHE_HOME to another directory",
            ) from error

    def _made(self, place: Path, order: _Order, progress: Progress) -> MachineImage:
        for left in self._root.glob("making-*"):  # of one that was killed: nobody else holds the lock
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=self._root))
        try:
            self._make(making, order, progress)
            shutil.rmtree(place, ignore_errors=True)
            fault("keep machine image")
            making.replace(place)
            fault("machine image kept")
        finally:
            shutil.rmtree(making, ignore_errors=True)
        made = _known(place)
        assert made is not None, "all of it was just written"
        return made

    def _make(self, making: Path, order: _Order, progress: Progress) -> None:
        tar, raw = making / "root.tar", making / "root.raw"
        progress.update("reading what the image holds")
        try:
            root = write_root(order.export(), tar, epoch=order.epoch)
            release = self._boot_files(root, making, order.program)
            progress.update(f"writing {root.members} files")
            draw(root, raw, self._processes, identity=order.image_id, epoch=order.epoch)
        except (TarStreamError, KernelError, Ext4Error) as error:
            raise MachineError(f"the image {order.image_id[:19]} cannot become a machine: it {error}") from error
        tar.unlink()
        progress.update("packing it")
        to_qcow2(raw, making / "disk.qcow2", self._processes)
        raw.unlink()
        (making / "disk.qcow2").chmod(0o400)
        (making / "content").write_text(_digest(making / "disk.qcow2"), encoding="ascii")
        (making / "release").write_text(release, encoding="utf-8")

    def _boot_files(self, root: RootFiles, making: Path, program: bytes) -> str:
        """Write the kernel and its initial RAM file system; return the kernel's version."""
        kernel = newest(root.places)
        unpackers = {"zstd": lambda data: self._unzstd(data, making)}
        (making / "kernel").write_bytes(bootable(root.read(kernel.path), unpackers))
        lists = [root.read(kernel.modules + name).decode("utf-8", "replace") for name in _lists(root, kernel.modules)]
        modules = []
        for path in module_order(lists[0], "".join(lists[1:])):
            data = root.read(kernel.modules + path) if kernel.modules + path in root.places else b""
            try:
                modules.append((module_name(path), data if data.startswith(_ELF) else unpacked(data, unpackers)))
            except ValueError as error:
                raise KernelError(f"holds a module that cannot be read, {path}: {error}") from error
        (making / "initrd").write_bytes(image_archive(program, modules))
        return kernel.release

    def _unzstd(self, data: bytes, scratch: Path) -> bytes:
        if self._processes.which("zstd") is None:
            raise ValueError("it is compressed by zstd, which is not installed: apt-get install zstd")
        packed, plain = scratch / "packed.zst", scratch / "plain"
        packed.write_bytes(data)
        try:
            self._processes.run(["zstd", "-q", "-d", "-f", str(packed), "-o", str(plain)])
            return plain.read_bytes()
        except CommandFailedError as error:
            raise ValueError(f"a damaged stream: {error.detail or error.message}") from error
        finally:
            packed.unlink(missing_ok=True)
            plain.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, progress: Progress) -> Iterator[None]:
        paths.private_directory(str(self._root))
        with (self._root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.update("waiting for another devbox that makes one")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _known(place: Path) -> MachineImage | None:
    try:
        release = (place / "release").read_text(encoding="utf-8")
        content = (place / "content").read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    found = MachineImage(
        kernel=place / "kernel", initrd=place / "initrd", disk=place / "disk.qcow2", content=content, release=release
    )
    there = all(os.access(path, os.R_OK) for path in (found.kernel, found.initrd, found.disk))
    return found if there else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def _lists(root: RootFiles, modules: str) -> list[str]:
    """Return the names of the lists of modules: of dependencies first, of those that are built in if it is there."""
    return ["modules.dep", *(name for name in ("modules.builtin",) if modules + name in root.places)]
