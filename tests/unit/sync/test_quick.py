"""The short way for an edit says what the long way says, or nothing."""

from itertools import product

import pytest

from devbox.sync.core import plan
from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.modes import Git, Mode
from devbox.sync.core.names import Guard
from devbox.sync.core.reconcile import Rules, reconcile
from devbox.sync.quick import edits
from devbox.sync.rows import DIRECTORY, Rows, packed
from devbox.sync.scene import Scene
from tests.support.sync_trees import MODES

FILES = [Entry(Kind.FILE, digest=letter * 32, executable=bit) for letter in (b"a", b"b") for bit in (False, True)]
ENTRIES = [None, *FILES, DIRECTORY, Entry(Kind.LINK, target=b"a")]
PATHS = [b"a", b"d/a", b".git/hooks/a", b".envrc"]


def scene_of(path: bytes, mode: Mode, three: tuple[Entry | None, ...]) -> Scene:
    rows = Rows()
    node = rows.need(path)
    node.base = three[0]
    for side, entry in zip(Side, three[1:], strict=True):
        node.put(side, entry, packed(Stamp(0, 0, 0, 0, 0)) if entry else None)
    above = node.parent
    while above is not None:
        above.base = above.host = above.guest = DIRECTORY
        above = above.parent
    guard = Guard(Git.HOST_TO_GUEST)
    scene = Scene(rows, Ignore({}), guard, Rules(mode=mode, way=guard.way))
    scene.fresh.add(node)
    return scene


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", PATHS)
def test_the_short_way_is_the_long_way(path: bytes, mode: Mode) -> None:
    taken = 0
    for three in product(ENTRIES, repeat=3):
        scene = scene_of(path, mode, three)
        quick = [action for _, action in edits(scene)]
        assert bool(quick) != bool(scene.fresh)
        if quick:
            taken += 1
            root = plan.Node(DIRECTORY, DIRECTORY, DIRECTORY)
            at = root
            *above, name = path.split(b"/")
            for one in above:
                at = at.add(one, plan.Node(DIRECTORY, DIRECTORY, DIRECTORY))
            at.add(name, plan.Node(*three))
            full = reconcile(root, scene.rules)
            assert quick == full.actions, three
            assert not full.conflicts
    assert taken >= 12


def test_what_is_busy_or_not_known_by_its_digest_is_not_for_the_short_way() -> None:
    scene = scene_of(b"a", Mode.TWO_WAY, (FILES[0], FILES[2], FILES[0]))
    node = next(iter(scene.fresh))
    scene.hold(node)
    assert not edits(scene)
    scene.release(node)
    node.put(Side.HOST, Entry(Kind.FILE), node.packed_on(Side.HOST))
    assert not edits(scene)
