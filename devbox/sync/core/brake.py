"""When a session stops and asks: much would be deleted on the host, or a root is gone or emptied."""

from collections import Counter
from enum import Enum
from typing import Final, NamedTuple

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.plan import Action, Plan

FEW: Final = 25  # deletions that are never too many
SHARE: Final = 30  # percent of what is synced
_UNKNOWN: Final = (b"", b"")


class Stop(Enum):
    """Why a session stops."""

    GONE = "the directory is gone"
    EMPTIED = "the directory is empty, and was not"
    DELETIONS = "much would be deleted"


class Halt(NamedTuple):
    """A session must not go on before somebody agrees. `going` of `total`: what would go, and what there is."""

    stop: Stop
    side: Side
    going: int
    total: int


def root_halt(side: Side, *, before: int, now: int | None) -> Halt | None:
    """Look at a root: how many names stood in it when both agreed, and how many do now (None: there is no root).

    Only names that are synced count. One name that goes is nothing special.
    """
    if now is None:
        return Halt(Stop.GONE, side, before, before)
    return Halt(Stop.EMPTIED, side, before, before) if before > 1 and not now else None


def plan_halt(plan: Plan, *, total: int) -> Halt | None:
    """Look at what a plan deletes on the host; `total`: entries that both sides agreed on.

    What the same plan puts elsewhere on the host (it was renamed) is not deleted, if the digest of what is new is
    known; nor is an emptied directory.
    """
    on_host = [action for action in plan.actions if action.side is Side.HOST]
    moved = Counter(_content(action.want) for action in on_host if action.want is not None)
    going = 0
    for action in on_host:
        if not _deletes(action):
            continue
        content = _content(action.was)
        if content != _UNKNOWN and moved[content] > 0:
            moved[content] -= 1
        else:
            going += 1
    return Halt(Stop.DELETIONS, Side.HOST, going, total) if going > max(FEW, total * SHARE / 100) else None


def _deletes(action: Action) -> bool:
    return action.want is None and action.was is not None and action.was.kind is not Kind.DIRECTORY


def _content(entry: Entry | None) -> tuple[bytes, bytes]:
    """What two entries have in common of which one is the other under a new name."""
    return (entry.digest, entry.target) if entry else _UNKNOWN
