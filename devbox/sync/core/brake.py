"""When a session stops and asks: too much would be deleted on the host, or a root is gone or emptied."""

from enum import Enum
from typing import NamedTuple

from devbox.sync.core.entry import Side
from devbox.sync.core.plan import Plan

FEW = 25  # deletions that are never too many
SHARE = 30  # percent of what is synced


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
    """Look at a root: how many names stood in it when both agreed, and how many do now (None: there is no root)."""
    raise NotImplementedError


def plan_halt(plan: Plan, *, total: int) -> Halt | None:
    """Look at what a plan deletes on the host; `total`: entries that both sides agreed on.

    What the same plan puts elsewhere on the host (it was renamed) is not deleted, nor is an emptied directory.
    """
    raise NotImplementedError
