"""When a directory came into being, which Python does not tell on Linux before 3.15."""

import ctypes
import os
import struct
import sys

_EMPTY_PATH = 0x1000
_BIRTH = 0x800  # STATX_BTIME
_SIZE, _MASK_AT, _TIME_AT = 256, 0, 80
_NS = 1_000_000_000


def birth(descriptor: int) -> int:
    """Return when what is open was made, in ns; 0 where the file system does not keep it."""
    found = os.fstat(descriptor)
    if sys.platform == "darwin":
        return int(found.st_birthtime * _NS)
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "statx"):
        return 0
    buffer = ctypes.create_string_buffer(_SIZE)
    if libc.statx(descriptor, b"", _EMPTY_PATH, _BIRTH, buffer) != 0:
        return 0
    (mask,) = struct.unpack_from("I", buffer, _MASK_AT)
    seconds, ns = struct.unpack_from("qI", buffer, _TIME_AT)
    return int(seconds) * _NS + int(ns) if mask & _BIRTH else 0
