"""How much memory a machine can have on this host."""

import os
from typing import Final

from devbox.errors import MachineError
from devbox.values import format_size

LEAST: Final = 64 << 20  # bytes; no kernel of a distribution starts with less


def require(size: int, what: str) -> None:
    """Raise `MachineError` if `what`, for a person, cannot have `size` bytes of memory here, whatever else runs."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > there:
        raise MachineError(
            f"{what} is to have {format_size(size)} of memory, and this host has {format_size(there)}",
            hint="set resources.memory in devbox.toml to less",
        )
    if size < LEAST:
        raise MachineError(
            f"{what} is to have {format_size(size)} of memory, and needs at least {format_size(LEAST)}",
            hint="set resources.memory in devbox.toml to more",
        )
