"""A guest that was cut off and is back as it was some seconds before: what the host has stays, and is inside again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.sync.core.entry import Side
from devbox.sync.rows import Node, packed, unpacked
from devbox.sync.swap import stamp_of
from devbox.sync.undone import Undone
from tests.support.sync_desk import Desk, desk_at

LATER = 10**12  # ns: so much later than what is on the guest's disk were the changes that it has lost


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path) as made:
        yield made


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)


def _tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and ".devbox" not in path.parts
    }


def _node(desk: Desk, path: str) -> Node:
    found = desk.rows.find(path.encode())
    assert found is not None
    return found


def _known_since(desk: Desk, *paths: str, later: int = LATER) -> None:
    """Let what the guest was known to have at these paths have been changed so much later than it was."""
    for path in paths:
        node = _node(desk, path)
        stamp = node.stamp_on(Side.GUEST)
        assert stamp is not None
        node.guest_stamp = packed(stamp._replace(ctime=stamp.ctime + later))


def _back(desk: Desk) -> None:
    """Meet the guest again, and do what there is to do on all that differs, as `opening.opened` has it."""
    desk.meet()
    desk.run(desk.cycle.first_look(lambda: True))
    desk.scene.fresh = {node for node in desk.rows.root.walk() if not node.agreed}
    desk.turn()
    desk.turn()


def test_an_edit_that_the_guest_has_lost_is_brought_over_again(desk: Desk) -> None:
    _write(desk.host, {"edited": "one", "emptied": "whole", "d/below": "one"})
    desk.scan()
    _write(desk.guest, {"edited": "old", "emptied": "", "d/below": "older"})
    _known_since(desk, "edited", "emptied", "d/below")
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == {"edited": "one", "emptied": "whole", "d/below": "one"}


def test_a_guest_that_is_lost_once_more_before_anything_was_decided_changes_nothing_of_it(desk: Desk) -> None:
    _write(desk.host, {"edited": "one", "new": "two"})
    desk.scan()
    _write(desk.guest, {"edited": "old"})
    (desk.guest / "new").unlink()
    _known_since(desk, "edited", "new")
    desk.meet()
    desk.run(desk.cycle.first_look(lambda: True))
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == {"edited": "one", "new": "two"}


def test_an_edit_of_what_is_from_before_is_one(desk: Desk) -> None:
    _write(desk.host, {"edited": "one"})
    desk.scan()
    _write(desk.guest, {"edited": "old"})
    _known_since(desk, "edited")
    desk.meet()
    desk.run(desk.cycle.first_look(lambda: True))
    _write(desk.guest, {"edited": "inside"})
    desk.turn()
    desk.turn()
    assert _tree(desk.host) == _tree(desk.guest) == {"edited": "inside"}


def test_what_was_made_and_is_lost_is_made_again_and_never_deleted_here(desk: Desk) -> None:
    whole = {"new": "one", "d/new": "two", "d/kept": "three"}
    _write(desk.host, whole)
    desk.scan()
    (desk.guest / "new").unlink()
    (desk.guest / "d" / "new").unlink()
    _known_since(desk, "new", "d/new")
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == whole


def test_a_new_directory_that_is_lost_with_all_in_it_is_made_again(desk: Desk) -> None:
    _write(desk.host, {"d/a": "one", "d/b": "two"})
    desk.scan()
    for name in ("a", "b"):
        (desk.guest / "d" / name).unlink()
    (desk.guest / "d").rmdir()
    _known_since(desk, "d", "d/a", "d/b")
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == {"d/a": "one", "d/b": "two"}


def test_what_was_deleted_here_and_is_there_again_goes_again(desk: Desk) -> None:
    _write(desk.host, {"gone": "one", "d/gone": "two", "stays": "three"})
    desk.scan()
    nodes = {path: _node(desk, path) for path in ("gone", "d", "d/gone")}
    (desk.host / "gone").unlink()
    (desk.host / "d" / "gone").unlink()
    (desk.host / "d").rmdir()
    desk.turn()
    assert _tree(desk.guest) == {"stays": "three"}
    _write(desk.guest, {"gone": "one", "d/gone": "two", "d/new": "inside"})
    for path, node in nodes.items():  # which is known of each when it goes
        node.guest_stamp = packed(stamp_of((desk.guest / path).stat()))
        desk.undone.removed.add(node)
    desk.undone = Undone(desk.rows, desk.undone.removed.packed())  # as it is told to another session
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == {"stays": "three", "d/new": "inside"}


def test_what_somebody_did_inside_meanwhile_is_taken(desk: Desk) -> None:
    _write(desk.host, {"edited": "one", "gone": "two", "d/gone": "three", "both": "four"})
    desk.scan()
    _write(desk.guest, {"edited": "inside", "new": "inside", "both": "old"})
    (desk.guest / "gone").unlink()
    (desk.guest / "d" / "gone").unlink()
    _known_since(desk, "both")
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == {"edited": "inside", "new": "inside", "both": "four"}


def test_what_was_edited_here_meanwhile_is_no_conflict_with_what_is_from_before(desk: Desk) -> None:
    _write(desk.host, {"edited": "one"})
    desk.scan()
    _write(desk.guest, {"edited": "old"})
    _write(desk.host, {"edited": "three"})
    _known_since(desk, "edited")
    _back(desk)
    assert _tree(desk.host) == _tree(desk.guest) == {"edited": "three"}
    assert not desk.cycle.left


def test_an_edit_while_the_guest_is_there_is_one_whatever_its_clock_says(desk: Desk) -> None:
    _write(desk.host, {"edited": "one"})
    desk.scan()
    _known_since(desk, "edited")
    _write(desk.guest, {"edited": "inside"})
    desk.turn()
    assert _tree(desk.host) == {"edited": "inside"}
    assert unpacked(_node(desk, "edited").guest_stamp or b"").ctime < LATER * 10**9
