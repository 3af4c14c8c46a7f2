"""What machines of one image share: its kernel, the modules that lead to its disk, that disk. Made once, then kept.

| below the root | what it is |
|---|---|
| itself | flock: shared by whoever looks for one, alone by whoever takes one away |
| `lock` | flock of whoever makes one |
| `<16 hex>/kernel` | for QEMU: uncompressed where it can be entered that way |
| `<16 hex>/modules` | what the root file system needs, as an initial RAM file system without the agent |
| `<16 hex>/disk.qcow2` | the root file system; read-only, machines have overlays on it |
| `<16 hex>/content` | digest of that disk: another e2fsprogs puts the same files elsewhere |
| `<16 hex>/parameters` | what its kernel is to be told beyond what any is, on one line |
| `<16 hex>/release` | the kernel's version; written last of them |
| `making-<8>/` | one that is being made, or was when devbox was killed |
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.errors import CommandFailedError, MachineError
from devbox.faults import fault
from devbox.process import Processes
from devbox.reporter import Progress, Reporter
from devbox.tarstream import TarStreamError
from devbox.values import format_size
from devbox.vm import scratch
from devbox.vm.disk import draw, to_qcow2
from devbox.vm.ext4 import Ext4Error
from devbox.vm.initramfs import modules_archive
from devbox.vm.kernel import KernelError, bootable, module_name, module_order, newest, parameters, unpacked
from devbox.vm.room import NO_ROOM, ran_out
from devbox.vm.rootfs import RootFiles, write_root

FORMAT = 2  # of what is kept; another number, and all is made anew
_ELF = b"\x7fELF"
_SPARE = 8  # of what files take, so much more is taken by the file system that holds them
_KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineImage:
    """The files of one image, absolute.

    `content`: digest (hex) of the disk; `release`: the kernel's version; `parameters`: see `kernel.parameters`.
    """

    kernel: Path
    modules: Path
    disk: Path
    content: str
    release: str
    parameters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """An image that is to be made; see `MachineImages.prepared`."""

    image_id: str
    export: Callable[[], Iterator[bytes]]


def key(image_id: str) -> str:
    """Return the name of the directory that an image has. Pure. The agent is no part of it, whatever its build."""
    return hashlib.sha256(f"{FORMAT} {image_id}".encode()).hexdigest()[:16]


class MachineImages:
    """The images below one directory."""

    def __init__(self, root: Path, processes: Processes, reporter: Reporter) -> None:
        self._root = root
        self._processes = processes
        self._reporter = reporter

    def prepared(self, image_id: str, export: Callable[[], Iterator[bytes]]) -> MachineImage:
        """Return the files of an image; made if they are not there, by one process at a time.

        `export`: gives the root file system as a tar stream. Whoever is going to stand on it says so beforehand, see
        `unneeded`. Raises `MachineError` for an image that no machine can boot, `RuntimeUnavailableError` if a program
        is missing that makes disks.
        """
        order = _Order(image_id=image_id, export=export)
        place = self._root / key(image_id)
        try:
            with self._looking(fcntl.LOCK_SH):
                known = _known(place)
            if known is not None:
                return known
            with self._reporter.step("make the machine's disk") as progress, self._locked(progress):
                return _known(place) or self._made(place, order, progress)
        except CommandFailedError as error:
            if not ran_out(error):
                raise
            raise self._unusable(NO_ROOM) from error
        except OSError as error:
            raise self._unusable((error.strerror or str(error)).lower()) from error

    def _unusable(self, why: str) -> MachineError:
        return MachineError(
            f"{self._root}, where the disks of machines lie, cannot be used: {why}",
            hint="make room there, or set XDG_CACHE_HOME to another directory",
        )

    def unneeded(self, needed: Callable[[], Collection[str]]) -> tuple[str, ...]:
        """Return the keys of the images that are not in `needed`."""
        with contextlib.suppress(OSError):  # there are none, or they are not this user's
            kept = needed()
            names = sorted(entry.name for entry in os.scandir(self._root) if _KEY.fullmatch(entry.name))
            return tuple(name for name in names if name not in kept)
        return ()

    def sweep(self, needed: Callable[[], Collection[str]], *, among: Collection[str]) -> tuple[str, ...]:
        """Remove those of `among`, and return the ones that are gone; what cannot be removed stays for the next time.

        `needed` is asked while nobody can look for one: who does so later finds none, and makes it anew.
        """
        gone = []
        with contextlib.suppress(OSError), self._looking(fcntl.LOCK_EX):
            for name in set(self.unneeded(needed)) & set(among):
                with contextlib.suppress(OSError):
                    shutil.rmtree(self._root / name)
                    gone.append(name)
        return tuple(sorted(gone))

    def tidy(self) -> None:
        """Remove what one that was killed has left of an image that it was making, unless one is being made now."""
        with contextlib.suppress(OSError), (self._root / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            scratch.clear(self._root)

    def size(self, name: str) -> int:
        """Return how many bytes the image of this key takes."""
        with contextlib.suppress(OSError):
            return sum(path.lstat().st_blocks * 512 for path in (self._root / name).rglob("*"))
        return 0

    @contextlib.contextmanager
    def _looking(self, how: int) -> Iterator[None]:
        """Hold the lock of the directory itself; it is never held for as long as an image takes to be made."""
        paths.private_directory(str(self._root))
        directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, how)
            yield
        finally:
            os.close(directory)

    def _made(self, place: Path, order: _Order, progress: Progress) -> MachineImage:
        scratch.clear(self._root)  # what one that was killed has left: nobody else holds the lock
        making = Path(tempfile.mkdtemp(prefix="making-", dir=self._root))
        try:
            self._make(making, order, progress)
            _settle(making)
            shutil.rmtree(place, ignore_errors=True)
            fault("keep machine image")
            making.replace(place)
            _synced(self._root)
            fault("machine image kept")
        finally:
            shutil.rmtree(making, ignore_errors=True)
        made = _known(place)
        assert made is not None, "all of it was just written"
        return made

    def _make(self, making: Path, order: _Order, progress: Progress) -> None:
        tar, raw = making / "root.tar", making / "root.raw"
        with contextlib.ExitStack() as left:
            try:
                progress.update("reading what the image holds")
                root = write_root(order.export(), tar)
                release = self._boot_files(root, making)
                progress.update(f"writing {root.members} files")
                self._require_room(root.size)
                draw(root, raw, self._processes, identity=order.image_id, left=left)
            except (TarStreamError, KernelError, Ext4Error) as error:
                raise MachineError(f"the image {order.image_id[:19]} cannot become a machine: it {error}") from error
            left.callback(tar.unlink)
            progress.update("packing it")
            (making / "content").write_text(self._packed(raw, making / "disk.qcow2", left), encoding="ascii")
        (making / "parameters").write_text(parameters(root.places), encoding="ascii")
        (making / "release").write_text(release, encoding="utf-8")

    def _packed(self, raw: Path, disk: Path, left: contextlib.ExitStack) -> str:
        """Make `disk` of `raw`, which is gone then, and return its digest; meanwhile do what is `left`.

        To take away what is large takes the host as long as to read it.
        """
        with ThreadPoolExecutor(1) as meanwhile:
            going = meanwhile.submit(left.close)
            to_qcow2(raw, disk, self._processes)
            written = meanwhile.submit(_synced, disk)
            gone = meanwhile.submit(raw.unlink)
            disk.chmod(0o400)
            digest = _digest(disk)
            for one in (going, written, gone):
                one.result()
        return digest

    def _require_room(self, size: int) -> None:
        """Raise `MachineError` if what is to be written cannot be: to fill a disk takes minutes, and others' room."""
        free, needed = shutil.disk_usage(self._root).free, size + size // _SPARE
        if free < needed:
            raise self._unusable(f"{NO_ROOM}: {format_size(needed)} are needed, and {format_size(free)} are free")

    def _boot_files(self, root: RootFiles, making: Path) -> str:
        """Write the kernel and its modules; return the kernel's version."""
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
        (making / "modules").write_bytes(modules_archive(modules))
        return kernel.release

    def _unzstd(self, data: bytes, place: Path) -> bytes:
        if self._processes.which("zstd") is None:
            raise ValueError("it is compressed by zstd, which is not installed: apt-get install zstd")
        packed, plain = place / "packed.zst", place / "plain"
        packed.write_bytes(data)
        try:
            self._processes.run(["zstd", "-q", "-d", "-f", str(packed), "-o", str(plain)])
            return plain.read_bytes()
        except CommandFailedError as error:
            raise ValueError(f"a damaged stream: {error.detail or error.message}") from error
        finally:
            packed.unlink(missing_ok=True)
            plain.unlink(missing_ok=True)

    @contextlib.contextmanager
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
        content, told = ((place / name).read_text(encoding="ascii") for name in ("content", "parameters"))
    except FileNotFoundError:
        return None
    found = MachineImage(
        kernel=place / "kernel",
        modules=place / "modules",
        disk=place / "disk.qcow2",
        content=content,
        release=release,
        parameters=told,
    )
    there = all(os.access(path, os.R_OK) for path in (found.kernel, found.modules, found.disk))
    return found if there else None


def _settle(making: Path) -> None:
    """Have all of it on the disk: the name that it gets then is taken to mean that it is whole."""
    for entry in making.iterdir():
        _synced(entry)
    _synced(making)


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # for which processors have instructions


def _lists(root: RootFiles, modules: str) -> list[str]:
    """Return the names of the lists of modules: of dependencies first, of those that are built in if it is there."""
    return ["modules.dep", *(name for name in ("modules.builtin",) if modules + name in root.places)]
