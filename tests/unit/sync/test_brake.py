import pytest

from devbox.sync.core.brake import Halt, Stop, plan_halt, root_halt
from devbox.sync.core.entry import Side
from devbox.sync.core.plan import Plan
from devbox.sync.core.reconcile import Rules, reconcile
from tests.support.sync_trees import Tree, node


def plan(ancestor: Tree, host: Tree, guest: Tree) -> Plan:
    return reconcile(node(ancestor, host, guest), Rules())


def files(count: int, beginning: str = "f") -> Tree:
    return {f"{beginning}{number}": f"content {number}" for number in range(count)}


@pytest.mark.parametrize(
    ("there", "deleted", "stops"),
    [(30, 25, False), (30, 26, True), (100, 30, False), (100, 31, True), (1000, 301, True)],
)
def test_more_than_25_and_more_than_30_percent(there: int, deleted: int, stops: bool) -> None:
    tree = files(there)
    left: Tree = dict(list(tree.items())[deleted:])
    halt = plan_halt(plan(tree, tree, left), total=there)
    assert halt == (Halt(Stop.DELETIONS, Side.HOST, deleted, there) if stops else None)


def test_what_the_host_deletes_is_its_own_business() -> None:
    assert plan_halt(plan(files(100), {}, files(100)), total=100) is None


def test_a_directory_that_was_renamed_is_not_deleted() -> None:
    before: Tree = {"src": files(100)}
    after: Tree = {"lib": files(100)}
    assert plan_halt(plan(before, before, after), total=101) is None


def test_a_copy_does_not_hide_what_is_deleted() -> None:
    before: Tree = {"src": dict.fromkeys(map(str, range(100)), "same")}
    after: Tree = {"lib": {"one": "same"}}
    halt = plan_halt(plan(before, before, after), total=101)
    assert halt
    assert halt.going == 99


def test_what_a_directory_held_counts_also_if_a_file_takes_its_place() -> None:
    before: Tree = {"src": files(100)}
    halt = plan_halt(plan(before, before, {"src": "x"}), total=101)
    assert halt
    assert halt.going == 100


@pytest.mark.parametrize(
    ("before", "now", "stop"),
    [(5, None, Stop.GONE), (0, None, Stop.GONE), (5, 0, Stop.EMPTIED), (1, 0, None), (0, 0, None), (5, 1, None)],
)
def test_a_root_that_is_gone_or_emptied(before: int, now: int | None, stop: Stop | None) -> None:
    halt = root_halt(Side.HOST, before=before, now=now)
    assert (halt.stop if halt else None) is stop
