"""What has to happen on the two sides, from what each has and what they last agreed on.

No edit is ever lost to a deletion. A directory goes only when nothing in it stays. What is there on a side and is not
synced is neither deleted nor overwritten, and keeps the directories above it. All of it takes time in proportion to the
tree that is given.
"""

from collections.abc import Callable
from typing import NamedTuple

from devbox.sync.core.entry import Entry
from devbox.sync.core.modes import Mode, Way
from devbox.sync.core.plan import Node, Plan


def as_the_mode_says(path: bytes, guest: Entry | None) -> Way:  # noqa: ARG001
    """The way of every path where no other rule holds."""
    return Way.MODE


class Rules(NamedTuple):
    """What holds while reconciling.

    `way`: which rule holds for a path and what the guest has there (names.Guard.way). `fold`: by what the host takes
    two names for one (names.fold), None if it takes each for itself; siblings that fold alike must then be in the tree
    together. `new_guest`: the guest's root is another than before: the host's counts, what only the guest has stays
    there and is told (with all ancestors None).
    """

    mode: Mode = Mode.TWO_WAY
    way: Callable[[bytes, Entry | None], Way] = as_the_mode_says
    fold: Callable[[bytes], bytes] | None = None
    new_guest: bool = False


def reconcile(root: Node, rules: Rules) -> Plan:
    """Plan for the tree under `root`, which must be a directory on both sides (ValueError if not: see brake)."""
    raise NotImplementedError
