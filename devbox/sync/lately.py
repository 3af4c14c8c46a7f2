"""What went on the host within the last seconds: a tree that is deleted file by file is brought over in many cycles."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from devbox.sync.core.brake import FEW, SHARE, Halt, Stop, plan_halt, root_halt
from devbox.sync.core.entry import Kind, Side
from devbox.sync.core.plan import Plan
from devbox.sync.rows import Rows

SPAN: Final = 10.0  # seconds


class Lately:
    """Looks at plans one after another, as if those of the last seconds were one.

    A session has one of these for as long as it is there, whatever becomes of its ends. While it is halted no time
    passes here: else what was stopped would go on by itself as soon as what went before it is long ago.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._behind = 0.0  # seconds that did not pass here
        self._halted: float | None = None  # since when
        self._total = 0  # files that both had at the last look
        self._gone: deque[tuple[float, int, int]] = deque()  # files that a plan deleted on the host, of how many
        self._roots: deque[tuple[float, int]] = deque()  # how many names both had in the root

    @property
    def halted(self) -> bool:
        """Whether the last plan must not be carried out, and nobody has agreed to it."""
        return self._halted is not None

    def halt(self, plan: Plan, rows: Rows) -> Halt | None:
        """Why this plan must not be carried out before somebody agrees."""
        now = self._now()
        while self._gone and self._gone[0][0] < now - SPAN:
            self._gone.popleft()
        while self._roots and self._roots[0][0] < now - SPAN:
            self._roots.popleft()
        found = self._emptied(rows) or self._deleted(plan, rows)
        if found is None:
            self._go_on()
        elif self._halted is None:
            self._halted = self._clock()
        return found

    def _now(self) -> float:
        return (self._clock() if self._halted is None else self._halted) - self._behind

    def _go_on(self) -> None:
        if self._halted is not None:
            self._behind += self._clock() - self._halted
            self._halted = None

    def _emptied(self, rows: Rows) -> Halt | None:
        children = (rows.root.children or {}).values()
        both = sum(child.base is not None for child in children)
        before = max([both, *(count for _, count in self._roots)])
        for side in Side:
            halt = root_halt(side, before=before, now=sum(child.on(side) is not None for child in children))
            if halt is not None and both:
                return halt
        return None

    def _deleted(self, plan: Plan, rows: Rows) -> Halt | None:
        if not _goes(plan):
            return None
        self._total = rows.agreed
        total = max([self._total, *(count for _, _, count in self._gone)])
        return plan_halt(plan, total=total) or self._creeping(plan, total)

    def _creeping(self, plan: Plan, total: int) -> Halt | None:
        going = _deletions(plan)
        lately = going + sum(count for _, count, _ in self._gone)
        many = going and lately > max(FEW, total * SHARE / 100)
        return Halt(Stop.DELETIONS, Side.HOST, lately, total) if many else None

    def done(self, plan: Plan, rows: Rows) -> None:
        """Take a plan as carried out."""
        now = self._now()
        going = _deletions(plan)
        if going:
            self._gone.append((now, going, self._total or rows.agreed))
            self._roots.append((now, sum(child.base is not None for child in (rows.root.children or {}).values())))

    def agreed(self) -> None:
        """Somebody agreed to all that went."""
        self._gone.clear()
        self._roots.clear()
        self._total = 0
        self._go_on()


def _goes(plan: Plan) -> int:
    """Return how many files a plan takes away on the host."""
    on_host = [action for action in plan.actions if action.side is Side.HOST and action.want is None]
    return sum(a.was is not None and a.was.kind is not Kind.DIRECTORY for a in on_host)


def _deletions(plan: Plan) -> int:
    """Return how many files a plan deletes on the host, and does not put elsewhere."""
    on_host = [action for action in plan.actions if action.side is Side.HOST]
    come = sum(a.was is None and a.want is not None and a.want.kind is not Kind.DIRECTORY for a in on_host)
    return max(0, _goes(plan) - come)
