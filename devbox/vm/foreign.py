"""Disks that devbox has not made, each kept once, by the digest of its file, as a qcow2 that devbox has written.

The file of somebody else is copied, looked at, and read by a program with limits; no machine ever opens it.

| below the root of the machines' images | what it is |
|---|---|
| `disks.lock` | flock of whoever takes one over |
| `<64 hex>.part` | one that is being fetched, by the digest that it is to have |
| `<16 hex>/disk.qcow2` | what it holds; read-only, machines have overlays on it |
| `<16 hex>/firmware` | by what it is started: `bios` or `uefi` |
| `<16 hex>/content` | the digest of its file; written last |
| `file-<16 hex>.json` | the digest that a file of this host had, and as of when |
| `taking-<8>/` | one that is being taken over, or was when devbox was killed |
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.errors import BaseImageError, CommandFailedError
from devbox.faults import fault
from devbox.process import Processes
from devbox.reporter import Progress, Reporter
from devbox.values import printable
from devbox.vm import firmware, header, qemu
from devbox.vm.copying import copy, to_disk
from devbox.vm.disk import tool
from devbox.vm.fetch import fetch
from devbox.vm.images import key

_MINUTES: Final = 30 * 60.0
_MEMORY: Final = 2 << 30  # bytes that the program may use which reads the disk
_PART: Final = ".part"
_LOCK: Final = "disks.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a disk comes from. `place`: absolute path, or address; `sha256` of the file (hex): an address has one."""

    place: str
    sha256: str | None

    @property
    def is_address(self) -> bool:
        """Whether it is fetched."""
        return "://" in self.place

    @property
    def shown(self) -> str:
        """What it is called for a person."""
        return printable(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignDisk:
    """A disk that machines may stand on. `firmware`: by what it is started; `sha256`: of the file that it came in."""

    disk: Path
    firmware: str
    sha256: str

    @property
    def image(self) -> str:
        """The id of the Image that it is."""
        return f"sha256:{self.sha256}"


class ForeignDisks:
    """Those of this user, below the directory where the disks of machines lie."""

    def __init__(self, root: Path, processes: Processes, reporter: Reporter) -> None:
        self._root = root
        self._processes = processes
        self._reporter = reporter

    def prepared(self, source: Source) -> ForeignDisk:
        """Return the disk of `source`; fetched, looked at and taken over if it is not there, by one process at a time.

        `BaseImageError` if it cannot be had, is not the one with that digest, or is none that may be started.
        """
        try:
            paths.private_directory(str(self._root))
            known = self._known(source.sha256 or self._remembered(source))
            if known is not None:
                return known
            with self._reporter.step(f"take over {source.shown}") as progress, self._locked(progress):
                return self._known(source.sha256) or self._taken(source, progress)
        except OSError as error:
            where = error.filename or self._root
            raise BaseImageError(
                f"the disk {source.shown} cannot be had: {where}: {(error.strerror or str(error)).lower()}",
                hint="see that it is there and that you may read it; that there is room below XDG_CACHE_HOME",
            ) from error

    def parts(self) -> dict[str, int]:
        """Return what was fetched in part, and nobody fetches: names, and how many bytes each takes."""
        with contextlib.suppress(OSError), self._alone():
            return {path.name: path.stat().st_blocks * 512 for path in sorted(self._root.glob(f"*{_PART}"))}
        return {}

    def drop_parts(self, names: Collection[str]) -> tuple[str, ...]:
        """Remove those of `names`, unless somebody fetches one; return the ones that are gone."""
        gone = []
        with contextlib.suppress(OSError), self._alone():
            for path in sorted(self._root.glob(f"*{_PART}")):
                if path.name in names:
                    path.unlink()
                    gone.append(path.name)
        return tuple(gone)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of who takes a disk over; `OSError` if somebody does, or nobody ever has."""
        with (self._root / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def _known(self, sha256: str | None) -> ForeignDisk | None:
        if sha256 is None:
            return None
        place = self._root / key(f"sha256:{sha256}")
        with self._looking():
            try:
                kind = (place / "firmware").read_text(encoding="ascii")
                said = (place / "content").read_text(encoding="ascii")
            except FileNotFoundError:
                return None
            disk = place / "disk.qcow2"
            there = said == sha256 and os.access(disk, os.R_OK)
        return ForeignDisk(disk=disk, firmware=kind, sha256=sha256) if there else None

    def _taken(self, source: Source, progress: Progress) -> ForeignDisk:
        for left in self._root.glob("taking-*"):  # of one that was killed: nobody else holds the lock
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix="taking-", dir=self._root))
        try:
            raw = making / "source"
            state = _state(source)
            self._have(source, raw, progress)
            progress.update("comparing its digest")
            sha256 = _digest(raw)
            if source.sha256 not in (None, sha256):
                raise _another(source, sha256)
            self._convert(source, raw, making, progress)
            raw.unlink()
            (making / "content").write_text(sha256, encoding="ascii")
            place = self._root / key(f"sha256:{sha256}")
            self._settle(making, place)
            self._remember(source, state, sha256)
            return ForeignDisk(
                disk=place / "disk.qcow2", firmware=(place / "firmware").read_text(encoding="ascii"), sha256=sha256
            )
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def _have(self, source: Source, raw: Path, progress: Progress) -> None:
        """Have in `raw` a copy of it that nobody else can change."""
        if not source.is_address:
            copy(Path(source.place), raw)
            return
        part = self._root / f"{source.sha256}{_PART}"
        fetch(source.place, part, progress)
        part.rename(raw)
        fault("disk fetched")

    def _convert(self, source: Source, raw: Path, making: Path, progress: Progress) -> None:
        """Write what the disk in `raw` holds as `disk.qcow2`, and by what it is started."""
        examined = _examined(source, raw)
        progress.update("reading it")
        program = tool(self._processes, "qemu-img", "qemu-utils")
        disk, head = making / "disk.qcow2", making / "head"
        bounds = self._bounds(examined.size)
        try:
            self._processes.run(
                [*bounds, program, "convert", "-f", examined.format, "-O", "qcow2", str(raw), str(disk)],
                timeout=_MINUTES,
            )
            first = [f"bs={firmware.LOOKED_AT}", "count=1", f"if={disk}", f"of={head}"]
            self._processes.run([*bounds, program, "dd", "-f", "qcow2", "-O", "raw", *first])
        except CommandFailedError as error:
            raise BaseImageError(
                f"the disk {source.shown} cannot be read", detail=error.detail or error.message
            ) from error
        kind = firmware.kind(head.read_bytes(), qemu.architecture())
        head.unlink()
        if kind is None:
            raise BaseImageError(
                f"nothing on the disk {source.shown} can be started by a {qemu.architecture()}",
                hint="it must have a boot loader: in its first sector, or in an EFI system partition",
            )
        (making / "firmware").write_text(kind, encoding="ascii")
        disk.chmod(0o400)

    def _bounds(self, size: int) -> list[str]:
        """Return what bounds the program that reads a foreign file: what it may use, and how much it may write."""
        if self._processes.which("prlimit") is None:
            return []
        room = 2 * size + (64 << 20)  # a qcow2 has its tables beside what it holds
        return ["prlimit", f"--as={_MEMORY}", f"--fsize={room}", "--core=0", "--"]

    def _settle(self, making: Path, place: Path) -> None:
        for entry in making.iterdir():
            to_disk(entry)
        to_disk(making)
        fault("disk taken over")
        shutil.rmtree(place, ignore_errors=True)  # one that is not whole
        making.rename(place)
        to_disk(self._root)

    def _remembered(self, source: Source) -> str | None:
        """Return the digest of a file that has not changed since it was taken."""
        try:
            said = json.loads(self._note(source).read_text(encoding="utf-8"))
            same = said["state"] == _state(source)
            return str(said["sha256"]) if same else None
        except FileNotFoundError as error:
            if error.filename == source.place:
                raise
            return None
        except (ValueError, KeyError, TypeError):
            return None

    def _remember(self, source: Source, state: list[int], sha256: str) -> None:
        if not source.is_address and state == _state(source):
            with contextlib.suppress(OSError):  # it is read again next time
                record.write_text(str(self._note(source)), json.dumps({"state": state, "sha256": sha256}))

    def _note(self, source: Source) -> Path:
        name = hashlib.sha256(source.place.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return self._root / f"file-{name}.json"

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        """Hold the directory, so that nobody takes away what is looked at (see `MachineImages.sweep`)."""
        directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_SH)
            yield
        finally:
            os.close(directory)

    @contextlib.contextmanager
    def _locked(self, progress: Progress) -> Iterator[None]:
        with (self._root / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.update("waiting for another devbox that takes one over")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _examined(source: Source, raw: Path) -> header.Examined:
    length = raw.stat().st_size
    with raw.open("rb") as file:
        head = file.read(header.READ)
        file.seek(max(0, length - header.TAIL))
        tail = file.read(header.TAIL)
    try:
        return header.examine(head, tail, length)
    except header.HeaderError as error:
        raise BaseImageError(f"no machine is started from {source.shown}: {error}", hint=error.hint) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(source: Source) -> list[int]:
    """Return which file it is, as of when."""
    if source.is_address:
        return []
    found = Path(source.place).stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _another(source: Source, sha256: str) -> BaseImageError:
    return BaseImageError(
        f"{source.shown} is another disk than base.sha256 says",
        detail=f"it has the SHA-256 {sha256}, and was to have {source.sha256}",
        hint="see where it comes from; if it is the one that you mean, write that number into devbox.toml",
    )
