"""Give back to the system what a big plan has needed, which the allocator would keep for the next one."""

import ctypes
import gc


def release_memory() -> None:
    """Do so, where the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
