"""What went on the host within the last seconds: a tree that is deleted file by file is brought over in many cycles."""

import time
from collections import deque
from typing import Final

from devbox.sync.core.brake import FEW, SHARE, Halt, Stop, plan_halt, root_halt
from devbox.sync.core.entry import Kind, Side
from devbox.sync.core.plan import Plan
from devbox.sync.rows import Rows

SPAN: Final = 10.0  # seconds


class Lately:
    """Looks at plans one after another, as if those of the last seconds were one."""

    def __init__(self) -> None:
        self._gone: deque[tuple[float, int, int]] = deque()  # files that a plan deleted on the host, of how many
        self._roots: deque[tuple[float, int]] = deque()  # how many names both had in the root

    def halt(self, plan: Plan, rows: Rows) -> Halt | None:
        """Why this plan must not be carried out before somebody agrees."""
        now = time.monotonic()
        while self._gone and self._gone[0][0] < now - SPAN:
            self._gone.popleft()
        while self._roots and self._roots[0][0] < now - SPAN:
            self._roots.popleft()
        children = (rows.root.children or {}).values()
        both = sum(child.base is not None for child in children)
        before = max([both, *(count for _, count in self._roots)])
        for side in Side:
            halt = root_halt(side, before=before, now=sum(child.on(side) is not None for child in children))
            if halt is not None and both:
                return halt
        total = max([rows.count, *(count for _, _, count in self._gone)])
        return plan_halt(plan, total=total) or self._creeping(plan, total)

    def _creeping(self, plan: Plan, total: int) -> Halt | None:
        going = _deletions(plan)
        lately = going + sum(count for _, count, _ in self._gone)
        many = going and lately > max(FEW, total * SHARE / 100)
        return Halt(Stop.DELETIONS, Side.HOST, lately, total) if many else None

    def done(self, plan: Plan, rows: Rows) -> None:
        """Take a plan as carried out."""
        now = time.monotonic()
        going = _deletions(plan)
        if going:
            self._gone.append((now, going, rows.count))
            self._roots.append((now, sum(child.base is not None for child in (rows.root.children or {}).values())))

    def agreed(self) -> None:
        """Somebody agreed to all that went."""
        self._gone.clear()
        self._roots.clear()


def _deletions(plan: Plan) -> int:
    """Return how many files a plan deletes on the host, and does not put elsewhere."""
    on_host = [action for action in plan.actions if action.side is Side.HOST]
    gone = sum(a.want is None and a.was is not None and a.was.kind is not Kind.DIRECTORY for a in on_host)
    come = sum(a.was is None and a.want is not None and a.want.kind is not Kind.DIRECTORY for a in on_host)
    return max(0, gone - come)
