"""The scenarios of docs/explanation/sync.md that are decided by looking at two trees, by their number."""

import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.modes import Git, Mode
from devbox.sync.core.names import Guard, fold
from devbox.sync.core.plan import Node, Plan, Reason, Why
from devbox.sync.core.reconcile import Rules, reconcile
from tests.support.sync_oracle import assert_it_holds
from tests.support.sync_trees import Tree, World


def settled(ancestor: Tree, host: Tree, guest: Tree, rules: Rules | None = None) -> tuple[World, Plan]:
    world = World(ancestor, host, guest)
    plan = reconcile(world.node(), rules or Rules())
    world.apply(plan)
    assert not reconcile(world.node(), rules or Rules()).actions
    return world, plan


BOTH_WAYS: list[tuple[str, Tree, Tree, Tree, Tree]] = [
    ("1 deleted here, edited there", {"f": "a"}, {}, {"f": "b"}, {"f": "b"}),
    ("1 mirrored", {"f": "a"}, {"f": "b"}, {}, {"f": "b"}),
    ("3 the same edit", {"f": "a"}, {"f": "b"}, {"f": "b"}, {"f": "b"}),
    ("3 both made the same", {}, {"f": "b"}, {"f": "b"}, {"f": "b"}),
    ("4", {"d": {"p": "a", "q": "b"}}, {}, {"d": {"p": "a", "q": "b", "n": "c"}}, {"d": {"n": "c"}}),
    ("4 an edit inside", {"d": {"p": "a", "q": "b"}}, {}, {"d": {"p": "c", "q": "b"}}, {"d": {"p": "c"}}),
    ("5 directory to file", {"d": {"p": "a"}}, {"d": "f"}, {"d": {"p": "a"}}, {"d": "f"}),
    ("5 file to directory", {"d": "f"}, {"d": {"p": "a"}}, {"d": "f"}, {"d": {"p": "a"}}),
    ("5 link to directory", {"d": "->x"}, {"d": "->x"}, {"d": {"p": "a"}}, {"d": {"p": "a"}}),
    ("6", {"d": {"p": "a"}}, {"one": {"p": "a"}}, {"two": {"p": "a"}}, {"one": {"p": "a"}, "two": {"p": "a"}}),
    ("24 content here, executable there", {"f": "a"}, {"f": "a*"}, {"f": "b"}, {"f": "b*"}),
    ("24 made executable", {"f": "a"}, {"f": "a*"}, {"f": "a"}, {"f": "a*"}),
]


@pytest.mark.parametrize(
    ("ancestor", "host", "guest", "both"), [case[1:] for case in BOTH_WAYS], ids=[c[0] for c in BOTH_WAYS]
)
def test_both_sides_come_to_the_same(ancestor: Tree, host: Tree, guest: Tree, both: Tree) -> None:
    world, plan = settled(ancestor, host, guest)
    assert (world.host, world.guest, world.ancestor) == (both, both, both)
    assert not plan.conflicts


def test_1_is_noted() -> None:
    assert settled({"f": "a"}, {}, {"f": "b"})[1].restored == [(b"f", Side.HOST)]


def test_2_an_edit_on_both_is_a_conflict_or_the_hosts_with_the_other_in_the_trash() -> None:
    world, plan = settled({"f": "a"}, {"f": "b"}, {"f": "c"})
    assert (world.host, world.guest) == ({"f": "b"}, {"f": "c"})
    assert [(one.path, one.why) for one in plan.conflicts] == [(b"f", Why.EDITED)]
    world, plan = settled({"f": "a"}, {"f": "b"}, {"f": "c"}, Rules(mode=Mode.TWO_WAY_RESOLVED))
    assert world.host == world.guest == {"f": "b"}
    assert world.trash == {(Side.GUEST, "f", "c")}
    assert [action.reason for action in plan.actions] == [Reason.WON]


def test_2_whoever_deletes_his_own_has_decided() -> None:
    assert settled({"f": "a"}, {}, {"f": "c"})[0].host == {"f": "c"}


def test_5_a_kind_against_an_edit_inside_is_one_conflict() -> None:
    world, plan = settled({"d": {"p": "a"}}, {"d": "f"}, {"d": {"p": "b", "q": "c"}})
    assert [(one.path, one.why) for one in plan.conflicts] == [(b"d", Why.KIND)]
    assert not world.trash


def test_5_the_old_kind_is_away_before_the_new_one_comes() -> None:
    plan = settled({"d": {"p": "a"}}, {"d": "f"}, {"d": {"p": "a"}})[1]
    assert [(action.path, action.want and action.want.kind) for action in plan.actions] == [
        (b"d/p", None),
        (b"d", None),
        (b"d", Kind.FILE),
    ]


def test_7_a_new_guest_deletes_nothing_and_what_it_brought_is_told() -> None:
    world, plan = settled({}, {"f": "a", "d": {"p": "a"}}, {"f": "b", "image": {"x": "c"}}, Rules(new_guest=True))
    assert world.host == {"f": "a", "d": {"p": "a"}}
    assert world.guest == {"f": "a", "d": {"p": "a"}, "image": {"x": "c"}}
    assert world.trash == {(Side.GUEST, "f", "b")}
    assert [(note.path, note.why) for note in plan.kept] == [(b"image", Why.NEW_GUEST)]


def test_17_another_case_is_a_name_of_its_own_where_the_host_can_tell() -> None:
    assert settled({"a": "x"}, {"a": "x"}, {"A": "x"})[0].host == {"A": "x"}


def test_17_on_a_host_that_cannot_tell_the_old_name_goes_first() -> None:
    world, plan = settled({"a": {"p": "x"}}, {"a": {"p": "x"}}, {"A": {"p": "x"}}, Rules(fold=fold))
    assert world.host == {"A": {"p": "x"}}
    assert [(action.path, action.want is None) for action in plan.actions][:3] == [
        (b"a/p", True),
        (b"a", True),
        (b"A", False),
    ]


@pytest.mark.parametrize("host", [{"a": "x"}, {}])
def test_17_of_a_pair_the_second_is_reported_and_never_written(host: Tree) -> None:
    world, plan = settled(host, host, {"a": "x", "A": {"p": "y"}}, Rules(fold=fold))
    assert world.host == {"a": "x"}
    assert world.guest == {"a": "x", "A": {"p": "y"}}
    assert [(one.path, one.why) for one in plan.conflicts] == [(b"A", Why.CASE)]


PLANTED: Tree = {
    "ok": "x",
    ".envrc": "evil",
    ".git": {"hooks": {"pre-commit": "evil"}},
    ".vscode": {"tasks.json": "evil"},
}


def test_21_what_the_guest_plants_stays_there_and_is_told() -> None:
    world, plan = settled({}, {}, PLANTED, Rules(way=Guard().way))
    assert world.host == {"ok": "x", ".vscode": {}}
    assert world.guest == PLANTED
    assert {(note.path, note.why) for note in plan.kept} == {
        (b".envrc", Why.PROTECTED),
        (b".git", Why.ONE_WAY),
        (b".vscode/tasks.json", Why.PROTECTED),
    }


@pytest.mark.parametrize("guest", [{}, {".git": "x"}, {".git": {}}, {".git": {"config": "evil", "HEAD": "a"}}])
@pytest.mark.parametrize("git", [Git.HOST_TO_GUEST, Git.FULL])
def test_21_no_change_of_the_guest_reaches_what_the_hosts_git_runs(guest: Tree, git: Git) -> None:
    both: Tree = {".git": {"config": "c", "HEAD": "a", "hooks": {"h": "x"}}}
    world, _ = settled(both, both, guest, Rules(way=Guard(git).way))
    mine = world.host[".git"]
    assert isinstance(mine, dict)
    assert (mine["config"], mine["hooks"]) == ("c", {"h": "x"})


def test_21_the_guest_reads_on_in_the_hosts_git_and_its_own_commits_are_in_its_trash() -> None:
    old: Tree = {".git": {"HEAD": "1", "objects": {"1": "a"}}}
    host: Tree = {".git": {"HEAD": "2", "objects": {"1": "a", "2": "b"}}}
    guest: Tree = {".git": {"HEAD": "g", "objects": {"1": "a", "g": "c"}}}
    world, _ = settled(old, host, guest, Rules(way=Guard().way))
    assert world.host == host
    assert world.guest == {".git": {"HEAD": "2", "objects": {"1": "a", "2": "b", "g": "c"}}}
    assert world.trash == {(Side.GUEST, ".git/HEAD", "g")}


def test_22_what_is_no_file_is_told_never_touched_and_keeps_its_directory() -> None:
    world, plan = settled({"d": {"p": "a"}}, {}, {"d": {"p": "a", "pipe": "!"}})
    assert world.guest == {"d": {"pipe": "!"}}
    assert world.host == {}
    assert [(note.path, note.side, note.why) for note in plan.kept] == [(b"d/pipe", Side.GUEST, Why.UNSUPPORTED)]


def test_what_is_ignored_keeps_a_directory_that_was_deleted_and_does_not_bring_it_back() -> None:
    world, plan = settled({"d": {"p": "a"}}, {}, {"d": {"p": "a", "~": ""}})
    assert (world.host, world.guest) == ({}, {"d": {"~": ""}})
    assert [(note.path, note.why) for note in plan.kept] == [(b"d", Why.UNTRACKED)]


def test_two_files_without_digests_are_not_taken_for_equal() -> None:
    root = Node(*[Entry(Kind.DIRECTORY)] * 3)
    root.add(b"f", Node(None, Entry(Kind.FILE), Entry(Kind.FILE)))
    with pytest.raises(ValueError, match="digest"):
        reconcile(root, Rules())


def test_a_root_that_is_gone_is_not_reconciled() -> None:
    with pytest.raises(ValueError, match="root"):
        reconcile(Node(Entry(Kind.DIRECTORY), None, Entry(Kind.DIRECTORY)), Rules())


def test_any_depth() -> None:
    root = at = Node(*[Entry(Kind.DIRECTORY)] * 3)
    for _ in range(2000):
        at = at.add(b"d", Node(None, Entry(Kind.DIRECTORY), None))
    assert len(reconcile(root, Rules()).actions) == 2000


def _seconds(size: int) -> float:
    root = Node(*[Entry(Kind.DIRECTORY)] * 3)
    for number in range(size):
        root.add(b"%d" % number, Node(None, Entry(Kind.FILE, b"x"), None))
    begun = time.process_time()
    assert len(reconcile(root, Rules()).actions) == size
    return time.process_time() - begun


def test_time_in_proportion_to_the_tree() -> None:
    gc.disable()  # it goes through all that five thousand tests before this one have left, whenever it likes
    try:
        few, many = (min(_seconds(size) for _ in range(3)) for size in (2000, 16000))
    finally:
        gc.enable()
    assert many < 40 * max(few, 0.005)  # 8 if linear, 64 if not


LEAF = st.sampled_from(["a", "b", "c", "a*", "->x"])
TREES = st.recursive(
    st.dictionaries(st.sampled_from("pqrs"), LEAF, max_size=3),
    lambda inside: st.dictionaries(st.sampled_from("pqrs"), LEAF | inside, max_size=4),
    max_leaves=12,
)


def marked(tree: Tree) -> Tree:
    return {
        name: "" if name == "~" else marked(child) if isinstance(child, dict) else child for name, child in tree.items()
    }


SIDES = st.recursive(
    st.dictionaries(st.sampled_from("pqrs~"), LEAF, max_size=3),
    lambda inside: st.dictionaries(st.sampled_from("pqrs~"), LEAF | st.just("!") | inside, max_size=4),
    max_leaves=12,
).map(marked)


@given(TREES, SIDES, SIDES, st.sampled_from(Mode), st.booleans())
def test_any_three_trees(ancestor: Tree, host: Tree, guest: Tree, mode: Mode, new_guest: bool) -> None:
    rules = Rules(mode=mode, new_guest=new_guest)
    before = World({} if new_guest else ancestor, host, guest)
    world, plan = settled(before.ancestor, host, guest, rules)
    assert_it_holds(before, world, plan, rules)
