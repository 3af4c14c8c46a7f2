"""What a cycle remembers of a plan."""

from devbox.sync.core.entry import Side
from devbox.sync.core.plan import Conflict, Note, Plan, Why
from devbox.sync.cycle import Left, staying
from devbox.sync.rows import Node, Rows


class Counted(Node):
    """Counts how often somebody asks where it is."""

    asked = 0

    @property
    def path(self) -> bytes:
        Counted.asked += 1
        return super().path


def test_what_stays_different_is_told_but_for_what_is_undecided_and_each_is_looked_at_once() -> None:
    root = Rows().root
    many = 100
    unsettled = [Counted(b"later%d" % number, root) for number in range(many)]
    notes = [Note(b"note%d" % number, Side.HOST, Why.UNSUPPORTED) for number in range(many)]
    conflict = Conflict(b"conflict", Why.EDITED, None, None)
    undecided = Conflict(b"later7", Why.EDITED, None, None)
    plan = Plan(actions=[], conflicts=[conflict, undecided], ancestor=[], restored=[], kept=notes)
    found = staying(plan, unsettled, 5)
    assert found == {what.path: Left(what, 5) for what in (*notes, conflict)}
    assert Counted.asked == many
