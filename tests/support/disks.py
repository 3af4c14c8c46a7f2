"""Files that say they are disks of machines."""

import struct
from pathlib import Path


def qcow2(path: Path, size: int, backing: str = "") -> None:
    """Write the header of a qcow2 file, of a disk of `size` bytes on top of `backing`."""
    name = backing.encode()
    head = b"QFI\xfb" + struct.pack(">IQIIQ", 3, 104 if name else 0, len(name), 16, size)
    path.write_bytes(head.ljust(104, b"\0") + name)
