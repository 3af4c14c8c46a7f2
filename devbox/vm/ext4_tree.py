"""What an ext4 file system holds, read from its blocks: no mount, no root, none of the programs that made it.

It is given as a tar stream, as an engine exports a container, so that both can be compared by the same code. Knows what
devbox's own disks have (see `vm.disk`): extents, 64-bit groups, directories with or without hashes, extended attributes
in the inode or in a block of their own. Source: Documentation/filesystems/ext4 of the kernel.
"""

import os
import stat
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from devbox.vm.ext4 import Ext4Error

_SUPERBLOCK: Final = 1024
_MAGIC: Final = 0xEF53
_ROOT: Final = 2  # its inode
_EXTENTS: Final = 0x80000
_EXTENT_MAGIC: Final = 0xF30A
_UNWRITTEN: Final = 32768  # an extent's length from here on: it is only reserved
_ATTRIBUTES: Final = 0xEA020000
_SECURITY: Final = 6
_CAPABILITY: Final = b"capability"
_BLOCK_HEADER: Final = 32  # bytes before the attributes in a block of their own
_INLINE: Final = 60  # bytes that an inode has for a link's target, or the root of its extents
_DEPTH: Final = 200  # directories in each other
_INODES: Final = 5_000_000
_PIECE: Final = 1 << 20
_TAR_KINDS: Final = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


def as_tar(path: Path) -> Iterator[bytes]:
    """Yield all that the file system in the raw disk `path` holds, sorted by path; sockets are left out.

    A file with several names is there under each. `Ext4Error` for what is no such file system, or a damaged one.
    """
    with path.open("rb") as disk:
        try:
            yield from _members(_FileSystem(disk), _ROOT, "", _DEPTH)
        except (struct.error, IndexError, UnicodeError) as error:
            raise Ext4Error(f"{path} is damaged: {error}") from error
    yield bytes(2 * tarfile.BLOCKSIZE)


def _members(system: "_FileSystem", number: int, path: str, depth: int) -> Iterator[bytes]:
    if not depth:
        raise Ext4Error(f"{path} lies too deep")
    for name, child in sorted(system.names(number)):
        below = f"{path}/{os.fsdecode(name)}" if path else os.fsdecode(name)
        inode = system.inode(child)
        kind = _TAR_KINDS.get(stat.S_IFMT(inode.mode))
        if kind is None:
            continue
        yield system.header(below, inode, kind)
        if kind == tarfile.REGTYPE:
            yield from system.content(inode)
            yield bytes(-inode.size % tarfile.BLOCKSIZE)
        elif kind == tarfile.DIRTYPE:
            yield from _members(system, child, below, depth - 1)


class _Inode:
    """One inode as it lies on the disk."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.mode = _two(data, 0)
        self.uid = _two(data, 2) | _two(data, 120) << 16
        self.gid = _two(data, 24) | _two(data, 122) << 16
        self.size = _four(data, 4) | _four(data, 108) << 32
        self.flags = _four(data, 32)
        self.blocks = data[40 : 40 + _INLINE]
        self.attributes = _four(data, 104) | _two(data, 118) << 32  # the block that has them

    @property
    def device(self) -> tuple[int, int]:
        old, new = _four(self.blocks, 0), _four(self.blocks, 4)
        return (old >> 8 & 0xFF, old & 0xFF) if old else (new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00)


class _FileSystem:
    """The file system on `disk`; `Ext4Error` if it is none that is understood."""

    def __init__(self, disk: BinaryIO) -> None:
        self._disk = disk
        block = self._at(_SUPERBLOCK, 1024)
        if _two(block, 56) != _MAGIC:
            raise Ext4Error("it is no ext4 file system")
        self._size = 1024 << _four(block, 24)
        self._per_group, self._inode_size = _four(block, 40), _two(block, 88)
        self._count = min(_four(block, 0), _INODES)
        self._whole = self._size * (_four(block, 4) | _four(block, 336) << 32)  # bytes; no file of devbox's has more
        group_size = _two(block, 254)
        if self._size != 4096 or group_size != 64 or self._inode_size < 160 or not self._per_group:
            raise Ext4Error("it is no ext4 file system as devbox makes them")
        groups = -(-_four(block, 0) // self._per_group)
        table = self._at(self._size, groups * group_size)
        rows = (table[at : at + group_size] for at in range(0, len(table), group_size))
        self._tables = [_four(row, 8) | _four(row, 40) << 32 for row in rows]

    def inode(self, number: int) -> _Inode:
        """Return an inode by its number."""
        if not 0 < number <= self._count:
            raise Ext4Error(f"there is no inode {number}")
        group, index = divmod(number - 1, self._per_group)
        found = _Inode(self._at(self._tables[group] * self._size + index * self._inode_size, self._inode_size))
        if found.size > self._whole:
            raise Ext4Error(f"the inode {number} is larger than the disk")
        return found

    def names(self, number: int) -> Iterator[tuple[bytes, int]]:
        """Yield what is in a directory, with the numbers of their inodes."""
        inode = self.inode(number)
        if not stat.S_ISDIR(inode.mode):
            raise Ext4Error(f"the inode {number} is no directory")
        for data in self.content(inode, piece=self._size):
            at = 0
            while at + 8 <= len(data):
                child, length, size = _four(data, at), _two(data, at + 4), data[at + 6]
                if length < 8:
                    raise Ext4Error(f"the directory {number} is damaged")
                name = data[at + 8 : at + 8 + size]
                if child and name not in (b".", b".."):
                    yield name, child
                at += length

    def content(self, inode: _Inode, *, piece: int = _PIECE) -> Iterator[bytes]:
        """Yield the content of a file in pieces of at most `piece` bytes; holes are zeros."""
        done = 0
        for logical, length, physical in sorted(self._extents(inode.blocks)):
            yield from _zeros(min(logical * self._size, inode.size) - done, piece)
            done = max(done, min(logical * self._size, inode.size))
            end = min((logical + length) * self._size, inode.size)
            start = physical * self._size
            while done < end:
                step = min(piece, end - done)
                yield self._at(start, step)
                start, done = start + step, done + step
        yield from _zeros(inode.size - done, piece)

    def header(self, path: str, inode: _Inode, kind: bytes) -> bytes:
        """Return the member's header."""
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.uid, info.gid = kind, stat.S_IMODE(inode.mode), inode.uid, inode.gid
        info.size = inode.size if kind == tarfile.REGTYPE else 0
        if kind == tarfile.SYMTYPE:
            info.linkname = os.fsdecode(self._target(inode))
        if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            info.devmajor, info.devminor = inode.device
        if capability := self._capability(inode):
            info.pax_headers = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape")}
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    def _target(self, inode: _Inode) -> bytes:
        if inode.size < _INLINE and not inode.flags & _EXTENTS:
            return inode.blocks[: inode.size]
        return b"".join(self.content(inode))

    def _extents(self, node: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield where a file's blocks lie: its own number of the first, how many, and the number on the disk."""
        magic, entries, depth = _two(node, 0), _two(node, 2), _two(node, 6)
        if magic != _EXTENT_MAGIC or depth > 5:
            raise Ext4Error("a file's blocks cannot be found")
        for at in range(12, 12 + 12 * entries, 12):
            if depth:
                place = _four(node, at + 4) | _two(node, at + 8) << 32
                below = self._at(place * self._size, self._size)
                if _two(below, 6) >= depth:
                    raise Ext4Error("a file's blocks lead in a circle")
                yield from self._extents(below)
                continue
            length = _two(node, at + 4)
            if length <= _UNWRITTEN:
                yield _four(node, at), length, _four(node, at + 8) | _two(node, at + 6) << 32

    def _capability(self, inode: _Inode) -> bytes:
        """Return the value of security.capability; empty if it has none."""
        begin = 128 + _two(inode.data, 128)
        if begin + 4 <= len(inode.data) and _four(inode.data, begin) == _ATTRIBUTES:
            found = _attribute(inode.data, begin + 4, offset=begin + 4)
            if found:
                return found
        if not inode.attributes:
            return b""
        block = self._at(inode.attributes * self._size, self._size)
        return _attribute(block, _BLOCK_HEADER, offset=0) if _four(block, 0) == _ATTRIBUTES else b""

    def _at(self, place: int, size: int) -> bytes:
        self._disk.seek(place)
        data = self._disk.read(size)
        if len(data) != size:
            raise Ext4Error("it is cut off")
        return data


def _attribute(data: bytes, at: int, *, offset: int) -> bytes:
    """Return the value of security.capability among the attributes that begin at `at`; places count from `offset`."""
    while at + 16 <= len(data) and data[at]:
        length, kind = data[at], data[at + 1]
        place, size = _two(data, at + 2), _four(data, at + 8)
        if kind == _SECURITY and data[at + 16 : at + 16 + length] == _CAPABILITY:
            return data[offset + place : offset + place + size]
        at += 16 + length + -length % 4
    return b""


def _zeros(size: int, piece: int) -> Iterator[bytes]:
    while size > 0:
        yield bytes(min(size, piece))
        size -= piece


def _two(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0])


def _four(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])
