"""The header of a disk that somebody else has made, read before any other program touches the file. Pure.

A qcow2 file can name other files of this host, which QEMU then reads for whoever looks into the disk; it can be larger
than any disk there is, or lead its reader outside of itself. A disk that a system comes in needs nothing of that, so it
is refused here, by the first bytes alone. Source: docs/interop/qcow2.txt of QEMU.
"""

import struct
from dataclasses import dataclass
from typing import Final

READ: Final = 64 * 1024  # bytes of the beginning that `examine` is to be given, or the whole of a smaller file
TAIL: Final = 512  # and of the end
LARGEST: Final = 16 << 40  # bytes

_SECTOR: Final = 512
_MAGIC: Final = b"QFI\xfb"
_SHORT: Final = struct.Struct(">4sIQIIQIIQQIIQ")  # version 2, and the beginning of version 3
_LONG: Final = struct.Struct(">QQQII")  # what version 3 has behind it
_EXTENSION: Final = struct.Struct(">II")
_L1_MOST: Final = 32 << 20  # bytes, as QEMU has it
_REFCOUNTS_MOST: Final = 8 << 20
_SNAPSHOTS_MOST: Final = 65536
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = (1 << bit for bit in range(5))
_BACKING_FORMAT, _ENCRYPTION, _DATA_FILE_NAME = 0xE2792ACA, 0x0537BE77, 0x44415441
_EXTENSIONS: Final = {
    _BACKING_FORMAT: "it lies on top of another file",
    _ENCRYPTION: "it is encrypted",
    _DATA_FILE_NAME: "it keeps its data in another file",
}
_CONVERT: Final = "make a qcow2 of it: qemu-img convert -O qcow2"
_UNPACK: Final = "unpack it first"
_OTHERS: Final = (  # where, what stands there, what it is, what to do
    (0, b"QED\0", "a QED disk", _CONVERT),
    (0, b"KDMV", "a VMDK disk", _CONVERT),
    (0, b"COWD", "a VMDK disk", _CONVERT),
    (0, b"# Disk DescriptorFile", "a VMDK descriptor", _CONVERT),
    (0x40, b"\x7f\x10\xda\xbe", "a VDI disk", _CONVERT),
    (0, b"conectix", "a VHD disk", _CONVERT),
    (0, b"vhdxfile", "a VHDX disk", _CONVERT),
    (0, b"WithoutFreeSpace", "a Parallels disk", _CONVERT),
    (0, b"WithouFreSpacExt", "a Parallels disk", _CONVERT),
    (0, b"Bochs Virtual HD Image", "a Bochs disk", _CONVERT),
    (0, b"OOOM", "a UML disk", _CONVERT),
    (0, b"LUKS\xba\xbe", "encrypted", "decrypt it first"),
    (0, b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (0, b"\xfd7zXZ\0", "compressed by xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (0, b"BZh", "compressed by bzip2", _UNPACK),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
)


class HeaderError(ValueError):
    """A file that no machine is started from. Its text says why, as "it lies on top of another file"."""

    def __init__(self, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a disk is. `format`: "raw" or "qcow2"; `size`: bytes that a machine sees."""

    format: str
    size: int


def examine(head: bytes, tail: bytes, length: int) -> Examined:
    """Return what the file is whose first bytes are `head` (`READ` of them), whose last `tail`, `length` bytes long.

    `HeaderError` for what is neither a raw disk nor a qcow2 that stands by itself.
    """
    if head.startswith(_MAGIC):
        return Examined(format="qcow2", size=_qcow2(head, length))
    for at, magic, what, hint in _OTHERS:
        if head[at : at + len(magic)] == magic:
            raise HeaderError(f"it is {what}", hint)
    if tail.startswith(b"conectix"):
        raise HeaderError("it is a VHD disk", _CONVERT)
    if not length or length % _SECTOR:
        raise HeaderError(f"it is no disk: {length} bytes are no whole number of sectors")
    if length > LARGEST:
        raise HeaderError(f"it is larger than {LARGEST >> 40} TiB")
    return Examined(format="raw", size=length)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    version: int
    backing: tuple[int, int]  # offset, size
    bits: int
    size: int
    encryption: int
    l1: tuple[int, int]  # entries, offset
    refcounts: tuple[int, int]  # offset, clusters
    snapshots: tuple[int, int]  # number, offset
    incompatible: int = 0
    refcount_order: int = 4
    length: int = _SHORT.size

    @property
    def cluster(self) -> int:
        """Bytes of a cluster."""
        return 1 << self.bits


def _qcow2(head: bytes, length: int) -> int:
    """Return how large the disk is."""
    header = _parsed(head)
    _require_alone(header)
    _require_known(header)
    _require_size(header)
    _require_inside(header, length)
    _require_extensions(head, header)
    return header.size


def _parsed(head: bytes) -> _Header:
    if len(head) < _SHORT.size + _LONG.size + 8:
        raise HeaderError("its header is cut off")
    _, version, at, size, bits, disk, encryption, l1_size, l1, table, clusters, count, snapshots = _SHORT.unpack_from(
        head
    )
    if version not in (2, 3):
        raise HeaderError(f"it is a qcow of version {version}, and devbox reads 2 and 3", _CONVERT)
    found = {
        "version": version,
        "backing": (at, size),
        "bits": bits,
        "size": disk,
        "encryption": encryption,
        "l1": (l1_size, l1),
        "refcounts": (table, clusters),
        "snapshots": (count, snapshots),
    }
    if version == 2:
        return _Header(**found)
    incompatible, _, _, order, header_length = _LONG.unpack_from(head, _SHORT.size)
    return _Header(**found, incompatible=incompatible, refcount_order=order, length=header_length)


def _require_alone(header: _Header) -> None:
    if any(header.backing):
        raise HeaderError(_EXTENSIONS[_BACKING_FORMAT], _CONVERT)
    if header.incompatible & _DATA_FILE:
        raise HeaderError(_EXTENSIONS[_DATA_FILE_NAME], _CONVERT)
    if header.encryption:
        raise HeaderError(_EXTENSIONS[_ENCRYPTION], "decrypt it first")


def _require_known(header: _Header) -> None:
    if header.incompatible & (_DIRTY | _CORRUPT):
        raise HeaderError("it was not closed, or is damaged", "repair it: qemu-img check -r all")
    unknown = header.incompatible & ~(_COMPRESSION | _EXTENDED_L2)
    if unknown:
        raise HeaderError(f"it needs features that devbox does not know ({unknown:#x})", _CONVERT)
    if header.version == 3 and not 104 <= header.length <= header.cluster:
        raise HeaderError(f"its header has {header.length} bytes")
    if header.version == 3 and header.length % 8:
        raise HeaderError(f"its header has {header.length} bytes")
    if header.refcount_order > 6:
        raise HeaderError(f"its reference counts have 2^{header.refcount_order} bits")


def _require_size(header: _Header) -> None:
    least = 14 if header.incompatible & _EXTENDED_L2 else 9
    if not least <= header.bits <= 21:
        raise HeaderError(f"its clusters have 2^{header.bits} bytes")
    if not header.size or header.size % _SECTOR:
        raise HeaderError(f"its size of {header.size} bytes is no whole number of sectors")
    if header.size > LARGEST:
        raise HeaderError(f"it is to be larger than {LARGEST >> 40} TiB")
    entry = 16 if header.incompatible & _EXTENDED_L2 else 8
    reach = header.cluster * (header.cluster // entry)  # bytes of the disk below one entry of the first table
    if not -(-header.size // reach) <= header.l1[0] <= _L1_MOST // 8:
        raise HeaderError(f"its first table has {header.l1[0]} entries")


def _require_inside(header: _Header, length: int) -> None:
    """Refuse what is said to lie outside of the file, or within the header."""
    table, clusters = header.refcounts
    if not clusters or clusters * header.cluster > _REFCOUNTS_MOST:
        raise HeaderError(f"its table of reference counts has {clusters} clusters")
    count, snapshots = header.snapshots
    if count > _SNAPSHOTS_MOST:
        raise HeaderError(f"it has {count} snapshots")
    places = [(header.l1[1], header.l1[0] * 8), (table, clusters * header.cluster)]
    places += [(snapshots, 40 * count)] if count else []
    for at, size in places:
        if at % header.cluster or at < header.cluster or at + size > _end(length, header.cluster):
            raise HeaderError("it leads outside of itself")


def _end(length: int, cluster: int) -> int:
    """Return where the file ends: the last cluster may have been cut where nothing is in it."""
    return -(-length // cluster) * cluster


def _require_extensions(head: bytes, header: _Header) -> None:
    at, end = header.length, min(len(head), header.cluster)
    while at + _EXTENSION.size <= end:
        kind, size = _EXTENSION.unpack_from(head, at)
        if not kind:
            return
        if kind in _EXTENSIONS:
            raise HeaderError(_EXTENSIONS[kind], _CONVERT)
        at += _EXTENSION.size + size + -size % 8
    if at > end or end < header.cluster:  # what comes behind what was read might say anything
        raise HeaderError("its header does not end")
