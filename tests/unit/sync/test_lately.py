"""Deletions that come a few at a time, by a clock that stands where it is put."""

import pytest

from devbox.sync.core.brake import Stop
from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.core.plan import Action, Plan, Reason
from devbox.sync.lately import SPAN, Lately
from devbox.sync.rows import DIRECTORY, Rows, packed

FILE = Entry(Kind.FILE, digest=b"d" * 32)
STAMP = packed(Stamp(0o100644, 1, 1, 1, 1))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rows(files: int, *, directories: int = 0, empty: int = 0) -> Rows:
    found = Rows()
    names = [(b"f%d", files, FILE), (b"d%d", directories, DIRECTORY), (b"e%d", empty, None)]
    for name, many, entry in names:
        for number in range(many):
            node = found.need(name % number)
            node.base = entry
            for side in Side:
                node.put(side, entry, STAMP if entry else None)
    return found


def deletions(first: int, many: int) -> Plan:
    actions = [Action(Side.HOST, b"f%d" % n, None, FILE, Reason.DELETED) for n in range(first, first + many)]
    return Plan(actions=actions, conflicts=[], ancestor=[], restored=[], kept=[])


def carry_out(lately: Lately, known: Rows, plan: Plan) -> None:
    assert lately.halt(plan, known) is None
    lately.done(plan, known)
    for action in plan.actions:
        node = known.need(action.path)
        node.base = None
        for side in Side:
            node.put(side, None, None)
        known.touch(node)


def test_what_comes_a_few_at_a_time_counts_together_for_a_while(clock: Clock) -> None:
    lately, known = Lately(clock), rows(100)
    carry_out(lately, known, deletions(0, 20))
    clock.now += SPAN - 1
    halt = lately.halt(deletions(20, 11), known)
    assert halt
    assert (halt.stop, halt.going, halt.total) == (Stop.DELETIONS, 31, 100)
    other = Lately(clock)
    carry_out(other, known, deletions(20, 20))
    clock.now += SPAN + 1
    carry_out(other, known, deletions(40, 20))


def test_no_time_passes_while_it_is_halted(clock: Clock) -> None:
    lately, known = Lately(clock), rows(100)
    carry_out(lately, known, deletions(0, 20))
    for _ in range(3):
        assert lately.halt(deletions(20, 11), known)
        assert lately.halted
        clock.now += 10 * SPAN
    carry_out(lately, known, deletions(20, 1))  # the others have come back, so it goes on
    assert not lately.halted
    clock.now += SPAN - 1
    assert lately.halt(deletions(21, 10), known)


def test_whoever_agrees_agrees_to_what_went_as_well(clock: Clock) -> None:
    lately, known = Lately(clock), rows(100)
    carry_out(lately, known, deletions(0, 20))
    assert lately.halt(deletions(20, 11), known)
    lately.agreed()
    assert not lately.halted
    carry_out(lately, known, deletions(20, 20))


def test_the_share_is_of_files_that_both_had_and_of_nothing_else(clock: Clock) -> None:
    halt = Lately(clock).halt(deletions(0, 31), rows(100, directories=100, empty=100))
    assert halt
    assert (halt.going, halt.total) == (31, 100)
