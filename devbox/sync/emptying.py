"""The trash of both sides, emptied of what has been in it for too long.

Of the guest only what is below its trash is named in what is asked, so one that lies about it harms but its own.
"""

import contextlib
import stat
import time
from typing import Final

from devbox.sync.core.entry import Side
from devbox.sync.endpoint import Found, List, Remove
from devbox.sync.pump import Ask, Work, one
from devbox.sync.swap import TRASH
from devbox.sync.trash import Trash, is_old

MOST: Final = 100_000  # names that are looked at in one go; the rest is for the next


def empty_host(root: str) -> None:
    """Remove the batches of a directory of this host that are too old; another day, if it cannot be now."""
    with contextlib.suppress(OSError), contextlib.closing(Trash(root)) as trash:
        trash.expire(time.time())


def empty_guest(now: float, most: int = MOST) -> Work[None]:
    """Remove the batches that are too old at this time (seconds since the epoch)."""
    left = most
    batches = yield from one(Side.GUEST, List(TRASH))
    for batch in batches.found:
        if _is_directory(batch) and is_old(batch.name, now):
            left -= yield from _remove(TRASH + b"/" + batch.name, batch, left)


def _remove(path: bytes, directory: Found, most: int) -> Work[int]:
    """Remove a directory and what is in it, from the innermost on; returns how many names that were."""
    waiting, seen = [(path, directory)], 0
    emptied: list[tuple[bytes, Found]] = []
    while waiting and seen <= most:
        above, entry = waiting.pop()
        emptied.append((above, entry))
        found = (yield from one(Side.GUEST, List(above))).found
        seen += len(found) + 1
        below = [(above + b"/" + each.name, each) for each in found if each.name and b"/" not in each.name]
        waiting += [each for each in below if _is_directory(each[1])]
        yield [Ask(Side.GUEST, Remove(name, each.stamp)) for name, each in below if not _is_directory(each)]
    for above, entry in reversed(emptied):
        yield from one(Side.GUEST, Remove(above, entry.stamp))
    return seen


def _is_directory(found: Found) -> bool:
    return stat.S_ISDIR(found.stamp.mode)
