"""What is sent in batches is what a plan would send, and nothing else is."""

from itertools import product
from pathlib import Path

import pytest

from devbox.sync.core import plan
from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.modes import Git, Mode
from devbox.sync.core.names import Guard
from devbox.sync.core.reconcile import Rules, reconcile
from devbox.sync.endpoint import SMALL
from devbox.sync.pump import Rank, Work
from devbox.sync.rows import DIRECTORY, Node, Rows, packed
from devbox.sync.scene import Scene
from devbox.sync.seed import MANY, Seeds
from devbox.sync.transfer import Counters
from tests.support.sync_bed import put, tree
from tests.support.sync_desk import desk_at
from tests.support.sync_trees import MODES

A, B = (Entry(Kind.FILE, digest=letter * 32) for letter in (b"a", b"b"))
ENTRIES = [None, A, B, DIRECTORY, Entry(Kind.LINK, target=b"a"), Entry(Kind.OTHER)]


class Idle:
    """A pump that begins nothing."""

    def start(self, work: Work[None], rank: Rank = Rank.NOW, weight: int = 0) -> None:
        assert rank is Rank.SOON
        assert weight <= SMALL
        work.close()


def have(rows: Rows, path: bytes, three: tuple[Entry | None, ...], size: int = 0) -> Node:
    node = rows.need(path)
    node.base = three[0]
    for side, entry in zip(Side, three[1:], strict=True):
        node.put(side, entry, packed(Stamp(0, size, 0, 0, 0)) if entry else None)
    return node


def scene_of(mode: Mode, *, new_guest: bool = False) -> Scene:
    guard = Guard(Git.HOST_TO_GUEST)
    scene = Scene(Rows(), Ignore({}), guard, Rules(mode=mode, way=guard.way, new_guest=new_guest))
    scene.fresh = {have(scene.rows, b"new%d" % number, (None, A, None)) for number in range(MANY)}
    return scene


def begun(scene: Scene) -> set[Node]:
    return Seeds(scene, Idle(), Counters()).begin()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("new_guest", [False, True])
@pytest.mark.parametrize("name", [b"a", b".git/hooks/a", b".envrc"])
def test_a_batch_is_what_a_plan_says(mode: Mode, name: bytes, *, new_guest: bool) -> None:
    taken = 0
    for three in product(ENTRIES, repeat=3):
        scene = scene_of(mode, new_guest=new_guest)
        above, _, last = name.rpartition(b"/")
        root = at = plan.Node(DIRECTORY, DIRECTORY, DIRECTORY)
        for step in above.split(b"/") if above else ():
            at = at.add(step, plan.Node(DIRECTORY, DIRECTORY, DIRECTORY))
        at.add(last, plan.Node(*three))
        node = have(scene.rows, name, three)
        while node.parent is not None:
            scene.fresh.add(node)
            node = node.parent
            node.base = node.host = node.guest = DIRECTORY
        one = scene.rows.find(name)
        if one in begun(scene):
            taken += 1
            full = reconcile(root, scene.rules)
            assert full.actions == [plan.Action(Side.GUEST, name, three[1], None, plan.Reason.CHANGED)], three
            assert not full.conflicts
            assert not full.kept
    assert taken == 3  # two files and a directory, where nothing was and nothing is


def test_where_something_goes_nothing_is_taken_for_it_may_have_moved() -> None:
    scene = scene_of(Mode.TWO_WAY)
    scene.fresh.add(have(scene.rows, b"old", (A, None, A)))
    assert not begun(scene)


def test_what_is_big_or_busy_or_within_what_the_guest_has_not_is_left() -> None:
    scene = scene_of(Mode.TWO_WAY)
    big = have(scene.rows, b"big", (None, A, None), SMALL + 1)
    busy = have(scene.rows, b"busy", (None, A, None))
    torn = have(scene.rows, b"torn", (None, DIRECTORY, A))
    within = have(scene.rows, b"torn/a", (None, A, None))
    new = have(scene.rows, b"new", (None, DIRECTORY, None))
    beneath = have(scene.rows, b"new/a", (None, A, None))
    scene.hold(busy)
    scene.fresh |= {big, busy, torn, within, new, beneath}
    taken = begun(scene)
    assert not taken & {big, busy, torn, within}
    assert {new, beneath} <= taken
    assert scene.fresh == {big, busy, torn, within}


def test_few_are_a_matter_for_a_plan() -> None:
    scene = scene_of(Mode.TWO_WAY)
    scene.fresh.pop()
    assert not begun(scene)


def test_what_was_told_of_a_file_before_it_was_put_there_is_void(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        put(desk.host, {f"{number}": "new" for number in range(MANY)} | {"d/a": "new"})
        old = (Stamp(0o100644, 3, 1, 1, 1), b"old")
        desk.run(desk.cycle.survey.scan({side: [desk.rows.root] for side in Side}))
        told = {(Side.GUEST, path): old for path in (b"1", b"d", b"d/a")}
        asked = desk.cycle.survey.look

        def look(paths: dict[Side, set[bytes]]) -> Work[dict[Side, list[Node]]]:
            tops = yield from asked(paths)
            desk.scene.told = dict(told)
            return tops

        desk.cycle.survey.look = look  # type: ignore[method-assign]
        desk.run(desk.cycle.work())
        assert desk.scene.told == {}
        assert tree(desk.guest) == tree(desk.host)
