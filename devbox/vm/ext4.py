"""Dates in an ext4 file system that was just made, so that the same content gives the same bytes.

mke2fs takes them from the files that it copies, and two of them nobody can set: when a file was last read and when its
inode was changed, which is when the files were laid out for it. Both become the date of the content.
Source: Documentation/filesystems/ext4 of the kernel.
"""

import struct
from pathlib import Path
from typing import BinaryIO

_SUPERBLOCK = 1024  # where it begins
_MAGIC = 0xEF53
_BLOCK = 4096
_INODE_SIZE = 256
_GROUP = 64  # bytes of a group's descriptor
_ATIME, _CTIME, _MTIME = 8, 12, 16
_SUM_LOW, _SUM_HIGH = 124, 130
_EXTRA = 128  # how many bytes of the inode's second half are meant
_UNUSED = 0x0001  # flag of a group: its table of inodes was never written
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, reflected


class Ext4Error(ValueError):
    """The file is no ext4 file system of the kind that devbox makes."""


def settle_dates(path: Path) -> int:
    """Set both dates of every inode to that of its content; return how many inodes there are.

    The file system is one with blocks of 4096 bytes, 64-bit groups, inodes of 256 bytes and checksums, and nobody else
    has it open; `Ext4Error` for another.
    """
    with path.open("r+b") as disk:
        disk.seek(_SUPERBLOCK)
        block = disk.read(1024)
        blocks, scale = _number(block, 4), _number(block, 24)
        per_group, inodes = _number(block, 32), _number(block, 40)
        kind = [struct.unpack_from("<H", block, place)[0] for place in (56, 88, 254)]
        if kind != [_MAGIC, _INODE_SIZE, _GROUP] or 1024 << scale != _BLOCK or not per_group:
            raise Ext4Error(f"{path} is no file system as devbox makes them")
        disk.seek(_BLOCK)
        groups = disk.read(-(-blocks // per_group) * _GROUP)
        return sum(_settle_group(disk, groups[at : at + _GROUP], inodes) for at in range(0, len(groups), _GROUP))


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _settle_group(disk: BinaryIO, group: bytes, inodes: int) -> int:
    """Settle the dates of a group's inodes; return how many there are."""
    if struct.unpack_from("<H", group, 18)[0] & _UNUSED:
        return 0
    unused = struct.unpack_from("<H", group, 28)[0] | struct.unpack_from("<H", group, 50)[0] << 16
    table = _BLOCK * (_number(group, 8) | _number(group, 40) << 32)
    disk.seek(table)
    data = bytearray(disk.read((inodes - unused) * _INODE_SIZE))
    count = 0
    for at in range(0, len(data), _INODE_SIZE):
        if data[at : at + 2] != b"\0\0":  # a mode: somebody uses it
            _settle(data, at)
            count += 1
    disk.seek(table)
    disk.write(data)
    return count


def _settle(data: bytearray, at: int) -> None:
    """Change the dates of the inode at `at`, and its checksum by what that makes of it."""
    date = data[at + _MTIME : at + _MTIME + 4]
    change = 0
    for place in (_ATIME, _CTIME):
        for index in range(4):
            change ^= _SHIFTED[place + index - _ATIME][data[at + place + index] ^ date[index]]
        data[at + place : at + place + 4] = date
    halves = [(_SUM_LOW, change & 0xFFFF), (_SUM_HIGH, change >> 16)]
    for place, half in halves if struct.unpack_from("<H", data, at + _EXTRA)[0] >= 4 else halves[:1]:
        old = struct.unpack_from("<H", data, at + place)[0]
        struct.pack_into("<H", data, at + place, old ^ half)


def _crc_tables() -> list[list[int]]:
    """Return for each byte of both dates what a difference there makes of an inode's checksum.

    A CRC is linear: how a change acts on it depends on the change and on how many bytes follow, on nothing else.
    """
    one = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        one.append(value)
    tables = [one]
    while len(tables) < _INODE_SIZE - _ATIME:
        tables.append([value >> 8 ^ one[value & 0xFF] for value in tables[-1]])
    return [tables[-1 - index] for index in range(_MTIME - _ATIME)]


_SHIFTED = _crc_tables()
