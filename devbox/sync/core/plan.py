"""What reconciling takes and gives: a tree with three entries at each name, and a plan."""

from enum import Enum
from typing import NamedTuple

from devbox.sync.core.entry import Entry, Side


class Node:
    """One name of the three-way tree: what it was when both sides last agreed, and what it is on each now.

    In the tree stands each name of which the three are not known to be equal, with all directories above it. Where a
    directory is not one on all three, everything beneath it that one of them has stands in it too. Ignored names are
    not in it; `host_holds`, `guest_holds`: the directory of that side has some that must stay.
    Digests must be known where two of the three are files.
    """

    __slots__ = ("ancestor", "children", "guest", "guest_holds", "host", "host_holds")

    def __init__(
        self,
        ancestor: Entry | None = None,
        host: Entry | None = None,
        guest: Entry | None = None,
        *,
        host_holds: bool = False,
        guest_holds: bool = False,
    ) -> None:
        self.ancestor = ancestor
        self.host = host
        self.guest = guest
        self.host_holds = host_holds
        self.guest_holds = guest_holds
        self.children: dict[bytes, Node] | None = None

    def add(self, name: bytes, node: "Node") -> "Node":
        """Put a name into it; returns the node."""
        if self.children is None:
            self.children = {}
        self.children[name] = node
        return node


class Reason(Enum):
    """Why something is done on a side."""

    CHANGED = "changed on the other side"
    DELETED = "deleted on the other side"
    RESTORED = "deleted here, edited on the other side"
    MERGED = "content changed on one side, its being executable on the other"
    WON = "changed on both sides, and the host's counts"
    MIRRORED = "not what the host has"


class Action(NamedTuple):
    """One request to one side: have `want` at `path`, where `was` is now.

    Where `want` has content that `was` has not, the other side has it. `keep`: what was there goes to the trash.
    What was a directory or becomes one is two actions: old away, new there.
    """

    side: Side
    path: bytes
    want: Entry | None
    was: Entry | None
    reason: Reason
    keep: bool = False


class Why(Enum):
    """Why a path is left as it is."""

    EDITED = "edited on both sides"
    KIND = "replaced on one side, edited inside on the other"
    CASE = "differs from another name only in case or in how its letters are composed"
    UNSUPPORTED = "is neither file, directory nor link, or cannot be read"
    UNTRACKED = "holds something that is not synced"
    PROTECTED = "may not be changed on the host by the guest"
    ONE_WAY = "does not go to the host"
    NEW_GUEST = "is only in the new guest"


class Conflict(NamedTuple):
    """Both sides keep their own from this path down, until somebody decides."""

    path: bytes
    why: Why
    host: Entry | None
    guest: Entry | None


class Note(NamedTuple):
    """Something at `path` on `side` that people may want to know. Nothing waits for them."""

    path: bytes
    side: Side
    why: Why


class Plan(NamedTuple):
    """What is to be done, in this order; and what is known.

    `ancestor`: paths on which both sides agree already, and on what. `restored`: paths whose deletion on that side lost
    against an edit on the other. `kept`: what stays on a side although the other has not, or should not have, the same.
    After an action the ancestor of its path is `want` if then the other side has the same, and else stays.
    """

    actions: list[Action]
    conflicts: list[Conflict]
    ancestor: list[tuple[bytes, Entry | None]]
    restored: list[tuple[bytes, Side]]
    kept: list[Note]
