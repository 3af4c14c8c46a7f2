"""A name of the three-way tree while it is being reconciled, and what is found for it."""

from enum import Enum
from typing import Final, NamedTuple

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.modes import Law
from devbox.sync.core.plan import Node, Why

HOST: Final = 0
GUEST: Final = 1
SIDES: Final = (Side.HOST, Side.GUEST)


class Do(Enum):
    """What is found for a name. All but the first four leave it, with all beneath it, as it is."""

    AGREE = "both have the same"
    TAKE = "have what `side` has, with all beneath it"
    FADE = "a directory of `side` alone, which goes if nothing in it stays"
    GHOST = "a directory of the host alone, whose deletion in the guest does not count; back if something in it is new"
    MERGE = "have `want` on both"
    CONFLICT = "both keep their own"
    KEEP = "as it is, on one side"
    SKIP = "as it is, for it is beneath something that is left"


class Verdict(NamedTuple):
    """What is found, and for which side, to have what, or why."""

    do: Do
    side: int = HOST
    want: Entry | None = None
    why: Why | None = None


AGREE: Final = Verdict(Do.AGREE)
SKIP: Final = Verdict(Do.SKIP)
GHOST: Final = Verdict(Do.GHOST)
TAKE: Final = (Verdict(Do.TAKE, HOST), Verdict(Do.TAKE, GUEST))
FADE: Final = (Verdict(Do.FADE, HOST), Verdict(Do.FADE, GUEST))
LEFT: Final = frozenset({Do.CONFLICT, Do.KEEP, Do.SKIP})  # nothing beneath is looked at


class Place:
    """A name. What has an item for each side is indexed by HOST and GUEST.

    `edits`: from here down that side has something that it had not when both agreed. `stuck`: why not all from here
    down can be deleted on that side. `index`, `size`: where it stands among all, and how many from there on are it and
    what is in it. `beneath`: something in it will be there; `stays`: it will be there itself. `withheld`: why the
    guest's changes do not reach the host, if they do not. `away`: what must be away on the host before this can be
    there. `done`: it was deleted in between.
    """

    __slots__ = (
        "ancestor",
        "away",
        "beneath",
        "children",
        "done",
        "edits",
        "holds",
        "index",
        "law",
        "now",
        "parent",
        "path",
        "size",
        "stays",
        "stuck",
        "verdict",
        "withheld",
    )

    def __init__(self, path: bytes, node: Node, law: Law, withheld: Why, parent: "Place | None") -> None:
        self.path = path
        self.law = law
        self.withheld = withheld
        self.children: list[Place] = []
        self.parent = parent
        self.ancestor = node.ancestor
        self.now = (node.host, node.guest)
        self.holds = (node.host_holds, node.guest_holds)
        self.edits = [self._is_edit(node.host), self._is_edit(node.guest)]
        self.stuck = [self._stuck(HOST), self._stuck(GUEST)]
        self.beneath = [False, False]
        self.stays = (node.host is not None, node.guest is not None)
        self.verdict = SKIP
        self.index = 0
        self.size = 1
        self.away: Place | None = None
        self.done = False

    def _is_edit(self, entry: Entry | None) -> bool:
        return entry is not None and entry != self.ancestor and entry.kind is not Kind.OTHER

    def _stuck(self, side: int) -> Why | None:
        entry = self.now[side]
        if entry is None:
            return None
        if entry.kind is Kind.OTHER:
            return Why.UNSUPPORTED
        if self.holds[side]:
            return Why.UNTRACKED
        if side == HOST and self.now[GUEST] is None and not self.law.to_host:
            return self.withheld
        return None

    def is_directory(self, side: int) -> bool:
        """Whether that side has a directory here."""
        entry = self.now[side]
        return entry is not None and entry.kind is Kind.DIRECTORY

    def is_other(self) -> bool:
        """Whether a side has here what is never touched."""
        return any(entry is not None and entry.kind is Kind.OTHER for entry in self.now)

    def gather(self) -> None:
        """Take what the places in it know of theirs."""
        for child in self.children:
            self.size += child.size
            for side in (HOST, GUEST):
                self.edits[side] = self.edits[side] or child.edits[side]
                self.stuck[side] = self.stuck[side] or child.stuck[side]

    def settle(self) -> None:
        """Find whether it stays, on each side, once everything in it is settled."""
        for child in self.children:
            for side in (HOST, GUEST):
                self.beneath[side] = self.beneath[side] or child.stays[side]
        match self.verdict:
            case Verdict(do=Do.TAKE, side=side):
                there = self.now[side] is not None
                self.stays = (there, there)
            case Verdict(do=Do.FADE, side=side):
                stays = self.beneath[HOST] or self.beneath[GUEST] or self.holds[side]
                shared = self.beneath[1 - side]
                self.stays = (stays, shared) if side == HOST else (shared, stays)
            case Verdict(do=Do.GHOST):
                self.stays = (True, self.beneath[GUEST])
            case _:
                pass  # as it is
