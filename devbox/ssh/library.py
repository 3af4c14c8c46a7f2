"""asyncssh, without what its import does to this host.

It looks for two libraries that it can do without by `ctypes.util.find_library`, which runs gcc, ld and ldconfig: other
people's programs, and files in /tmp.
"""

import ctypes.util

__all__ = ["asyncssh"]

_find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None  # noqa: ARG005 (its signature)
try:
    import asyncssh
finally:
    ctypes.util.find_library = _find
