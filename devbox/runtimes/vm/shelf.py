"""The snapshots of a Workspace's machine as they lie on this host, each in a directory of its own.

| below the shelf | what it is |
|---|---|
| `<8 digits>/about` | what it is called, when it was saved, the digests of its files; without it there is none |
| `<8 digits>/root.qcow2`, `data.qcow2` | the disks, each a whole copy: none stands on another's |
| `<8 digits>/memory`, `initrd`, `under` | of one that ran: what was in memory, and what it was started with |
| `<8 digits>/attached` | what the saver had kept with it |
| `making/` | one that is being made, or was when devbox was killed |
| `gone-<8 digits>/` | one that is being taken away |
| `back/`, `back-making/` | what is on its way into the machine, see `putting_back` |
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from devbox import paths, record
from devbox.errors import MachineError
from devbox.faults import fault
from devbox.runtimes.snapshots import Snapshot
from devbox.vm import disk
from devbox.vm.copying import digest, to_disk

ROOT: Final = "root.qcow2"
DATA: Final = "data.qcow2"
MEMORY: Final = "memory"
INITRD: Final = "initrd"
UNDER: Final = "under"
ATTACHED: Final = "attached"
_ABOUT: Final = "about"
_MAKING: Final = "making"
_GONE: Final = "gone-"
_SCHEMA: Final = 1
_NUMBER: Final = re.compile(r"[0-9]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a snapshot says of itself. `image`, `content`, `spec`: what it stands on and was made from; see `Snapshot`.

    `files`: name, size in bytes and digest of each.
    """

    name: str
    saved: int
    pushed: bool
    mark: str
    image: str
    content: str
    spec: str
    files: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A snapshot on the shelf. `about`: None if it says nothing that can be read."""

    directory: Path
    about: About | None

    @property
    def name(self) -> str:
        """What it is called; one that does not say so by its number."""
        return self.about.name if self.about else f"damaged-{int(self.directory.name)}"

    def seen(self) -> Snapshot:
        """Return what there is to see of it; its files are not read."""
        sizes = _sizes(self.directory)
        size = sum(found.st_blocks * 512 for found in sizes.values())
        if self.about is None:
            why = "nothing says what it is"
            return Snapshot(name=self.name, saved=0, size=size, running=False, pushed=False, mark="", problem=why)
        bad = [name for name, wanted, _ in self.about.files if name not in sizes or sizes[name].st_size != wanted]
        return Snapshot(
            name=self.name,
            saved=self.about.saved,
            size=size,
            running=any(name == MEMORY for name, _, _ in self.about.files),
            pushed=self.about.pushed,
            mark=self.about.mark,
            problem=f"{bad[0]} is not what was saved" if bad else "",
        )


class Shelf:
    """The snapshots below one directory. Whoever changes something holds the Workspace's lock."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def all(self) -> tuple[Kept, ...]:
        """Return them, the oldest first; of two with one name the newer."""
        numbers = sorted(one.name for one in self._entries() if _NUMBER.fullmatch(one.name))
        found = [Kept(directory=self.root / name, about=_read(self.root / name)) for name in numbers]
        latest = {one.name: one for one in found}
        return tuple(one for one in found if latest[one.name] is one)

    def find(self, name: str) -> Kept | None:
        """Return the one of this name; None if there is none."""
        return next((one for one in self.all() if one.name == name), None)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Give an empty directory; what is in it at the end and was not `put` is removed."""
        self.sweep()
        making = Path(paths.private_directory(str(self.root))) / _MAKING
        making.mkdir(mode=0o700)
        try:
            yield making
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def put(self, making: Path, about: About) -> Kept:
        """Make a snapshot of what is in the draft, in place of any other of its name."""
        files = tuple((one.name, one.stat().st_size, digest(one)) for one in sorted(making.iterdir()))
        for one in making.iterdir():
            to_disk(one)
        values = {**asdict(about), "files": files}
        record.write_text(str(making / _ABOUT), json.dumps({"schema": _SCHEMA, **values}, indent=1) + "\n")
        numbers = [int(one.name) for one in self._entries() if _NUMBER.fullmatch(one.name)]
        place = self.root / f"{max(numbers, default=0) + 1:08}"
        fault("keep snapshot")
        making.rename(place)
        to_disk(self.root)
        fault("snapshot kept")
        self.sweep()
        return Kept(directory=place, about=_read(place))

    def delete(self, kept: Kept) -> None:
        """Take one away."""
        gone = self.root / f"{_GONE}{kept.directory.name}"
        fault("delete snapshot")
        kept.directory.rename(gone)
        fault("snapshot deleted")
        self.sweep()

    def sweep(self) -> None:
        """Remove what is no snapshot: left by a devbox that was killed, or replaced by its name."""
        known = {one.directory.name for one in self.all()}
        for one in self._entries():
            superseded = _NUMBER.fullmatch(one.name) and one.name not in known
            if superseded or one.name == _MAKING or one.name.startswith(_GONE):
                shutil.rmtree(one, ignore_errors=True)

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _entries(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return list(self.root.iterdir())
        return []


def shelf_of(path_hash: str) -> Shelf:
    """Return the shelf of the Workspace with this hash."""
    return Shelf(Path(paths.snapshots(path_hash)))


def bases() -> Iterator[str]:
    """Yield the keys of the images that snapshots of this user stand on, whosever they are."""
    for root in Path(paths.workspaces_root()).glob(f"*/{paths.SNAPSHOTS}/*/{ROOT}"):
        with suppress(OSError, MachineError):
            yield Path(disk.backing_file(root)).parent.name


def images() -> Iterator[str]:
    """Yield the ids of the images that snapshots of this user were made from: only by these does a machine fit them."""
    for about in Path(paths.workspaces_root()).glob(f"*/{paths.SNAPSHOTS}/*/{_ABOUT}"):
        if found := _read(about.parent):
            yield found.image


def _sizes(directory: Path) -> dict[str, os.stat_result]:
    found = {}
    with suppress(FileNotFoundError):  # it is just being taken away
        for one in directory.iterdir():
            found[one.name] = one.stat()
    return found


def _read(directory: Path) -> About | None:
    try:
        document = json.loads((directory / _ABOUT).read_text(encoding="utf-8"))
        return _about(document) if document.pop("schema") == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _about(values: dict[str, Any]) -> About:
    files = tuple((str(name), int(size), str(found)) for name, size, found in values["files"])
    return About(**{**values, "files": files})
