"""The root file system of a machine, from the export of a container: one pass, into a tar and an index of its kernels.

What the engine puts into every container is left out, and what a machine mounts things over is added. The same content
gives the same bytes.
"""

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devbox.tarstream import BLOCK, Kind, Member, TarReader, plain_mode
from devbox.vm.kernel import PARSERS

DAWN = 315_532_800  # seconds: 1980; the date of what has none of its own
_ENGINE_FILES = frozenset(
    ("/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf", "/run/.containerenv")
)
_ENGINE_PLACES = ("/dev/", "/proc/", "/sys/")
_ENGINE_DATES = frozenset(("/", "/dev", "/etc", "/proc", "/run", "/sys"))  # the engine changes something in these
_PLACES = {"/dev": 0o755, "/proc": 0o555, "/root": 0o700, "/run": 0o755, "/sys": 0o555, "/tmp": 0o1777}
_EMPTY = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")  # the boot puts its own over the last two
_PAGE = 4096  # what a file takes at least
_INDEXED = ("/boot/", "/lib/modules/", "/usr/lib/modules/", *(f"/{path}" for path in PARSERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFiles:
    """A root file system as a tar, and where in it the files lie that say which kernel is started, and how.

    Paths are from the root, without "/".
    """

    tar: Path
    size: int  # bytes of all content
    members: int
    places: Mapping[str, tuple[int, int]]  # offset, size

    def read(self, path: str) -> bytes:
        """Return the content of one of the `places`; `KeyError` for another."""
        offset, size = self.places[path]
        with self.tar.open("rb") as file:
            file.seek(offset)
            return file.read(size)


def write_root(chunks: Iterable[bytes], tar: Path) -> RootFiles:
    """Write the root file system that `chunks`, the export of a container, hold as the file `tar`.

    Raises `TarStreamError` for what is no tar.
    """
    places: dict[str, tuple[int, int]] = {}
    size = count = 0
    with tar.open("wb") as file:
        for member, content in _members(TarReader(chunks)):
            file.write(member.header)
            if member.kind is Kind.FILE and member.path.startswith(_INDEXED):
                places[member.path[1:]] = (file.tell(), member.size)
            for piece in content:
                file.write(piece)
            file.write(bytes(-member.size % BLOCK))
            size += member.size + -member.size % _PAGE
            count += 1
        file.write(bytes(2 * BLOCK))
    return RootFiles(tar=tar, size=size, members=count, places=places)


def _members(reader: TarReader) -> Iterator[tuple[Member, Iterable[bytes | memoryview]]]:
    there: set[str] = set()
    for member in reader.members():
        if member.path in _ENGINE_FILES or member.path.startswith(_ENGINE_PLACES):
            continue
        there.add(member.path)
        yield _dated(member), reader.content()
    for path, mode in _PLACES.items():
        if path not in there:
            yield _made(path, type=tarfile.DIRTYPE, mode=mode), ()
    if "/etc" in there:
        for path in _EMPTY:
            yield _made(path, mode=0o644), ()
        yield _made("/etc/mtab", type=tarfile.SYMTYPE, mode=0o777, linkname="../proc/self/mounts"), ()


def _dated(member: Member) -> Member:
    if member.path in _ENGINE_DATES and member.kind is Kind.DIRECTORY:
        return _made(member.path, type=tarfile.DIRTYPE, mode=member.mode, uid=member.uid, gid=member.gid)
    return replace(member, header=plain_mode(member.header))


def _made(path: str, **values: object) -> Member:
    info = tarfile.TarInfo(path[1:] or "./")
    info.mtime = DAWN
    for name, value in values.items():
        setattr(info, name, value)
    kind = {tarfile.DIRTYPE: Kind.DIRECTORY, tarfile.SYMTYPE: Kind.LINK}.get(info.type, Kind.FILE)
    return Member(path=path, kind=kind, mode=info.mode, uid=0, gid=0, header=info.tobuf(tarfile.USTAR_FORMAT))
