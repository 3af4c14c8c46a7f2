"""What a session remembers does not grow with all that ever happened."""

import time
from pathlib import Path

import pytest

from devbox.sync import contents, three
from devbox.sync.contents import Contents
from devbox.sync.core.entry import Side, Stamp
from devbox.sync.endpoint import SMALL, Answer, Content, Gather, Stat
from devbox.sync.host import HostEndpoint
from devbox.sync.rows import Node, digest_of, packed
from devbox.sync.troubles import CHANGING, Troubles
from tests.support.sync_bed import put, tree
from tests.support.sync_desk import desk_at

SOME = Stamp(0o100644, 1, 1, 1, 1)


def test_contents_that_nobody_takes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST", 10_000)
    found, nodes = Contents(), [Node(b"%d" % number, None) for number in range(100)]
    for node in nodes:
        found.put(Side.HOST, node, SOME, Content(bytes(500), b""))
    assert len(found) == 9
    assert found.take(Side.HOST, nodes[0]) == (None, Content(b"", b""))
    assert found.take(Side.HOST, nodes[-1]) == (SOME, Content(bytes(500), b""))
    assert found.take(Side.HOST, nodes[-1]) == (None, Content(b"", b""))
    for _ in range(100):  # nor is the same one counted twice
        found.put(Side.GUEST, nodes[0], SOME, Content(bytes(500), b""))
    assert len(found) == 9


def test_what_both_have_is_not_remembered_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST", 5_000)
    with desk_at(tmp_path) as desk:
        desk.scan()
        for number in range(20):
            for root in (desk.host, desk.guest):
                put(root, {f"{number}": "the same"})
            desk.turn()
        assert len(desk.cycle.survey.contents) <= 10


def test_no_more_is_gathered_of_a_file_than_goes_in_one_piece(tmp_path: Path) -> None:
    found: list[Answer] = []
    for name, size in ((b"small", SMALL), (b"big", SMALL + 1)):
        (tmp_path / name.decode()).write_bytes(bytes(size))
    end = HostEndpoint(tmp_path)
    try:
        files = []
        for name in (b"small", b"big"):
            end.ask(Stat(name), found.append)
            files.append((name, packed(found.pop().found[0].stamp)))
        end.ask(Gather(b"", tuple(files)), found.append)
    finally:
        end.close()
    assert found[0].contents == ((bytes(SMALL), digest_of(bytes(SMALL))), None)


def test_directories_that_are_gone_are_not_watched(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        put(desk.host, {"a": "x"})
        desk.scan()
        for number in range(3):
            put(desk.host, {f"d{number}/e/f": "x"})
            desk.turn()
            desk.turn()
            (desk.host / f"d{number}").rename(tmp_path / f"out{number}")
            desk.turn()
            desk.turn()
        assert tree(desk.guest) == {"a": b"x"}
        assert {side: len(watches) for side, watches in desk.scene.watches.items()} == dict.fromkeys(Side, 1)


def test_a_directory_with_another_name_is_watched_on(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        put(desk.host, {"d/e/f": "x"})
        desk.scan()
        for name in ("c", "e", "d"):
            old = next(path for path in desk.host.iterdir() if path.name != ".devbox")
            old.rename(desk.host / name)
            desk.turn()
            put(desk.host, {f"{name}/e/f": name})
            desk.turn()
            assert (desk.guest / name / "e/f").read_text() == name


def test_a_hundred_thousand_troubles_are_not_looked_through_each_time_that_one_is_due() -> None:
    troubles = Troubles()
    for number in range(100_000):
        troubles.add(b"%d" % number, Side.HOST, "busy")
    looks, added, until = 0, 0.0, time.monotonic() + 1
    while (now := time.monotonic()) < until:
        if now > added + 0.005:
            troubles.add(b"%f" % now, Side.HOST, "busy")
            added = now
        looks += now >= troubles.next
        troubles.due()
    assert 1 <= looks <= 8
    assert troubles.next < until + 1, "and what comes is tried again"


def test_of_names_that_are_gone_before_they_are_read_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(three, "SLICE", 20)
    with desk_at(tmp_path) as desk:
        desk.scan()
        put(desk.guest, {f"f{number}": "for a moment" for number in range(20 * 4)})
        desk.run(desk.cycle.survey.scan({Side.GUEST: [desk.rows.root]}))
        assert len(desk.scene.fresh) == 20 * 4
        for path in desk.guest.glob("f*"):
            path.unlink()
        desk.turn()
        cycles = 1
        while desk.cycle.again:
            desk.cycle.again = False
            desk.turn()
            cycles += 1
        assert not desk.scene.fresh
        assert desk.rows.count == 0
        assert cycles <= 5


def test_a_path_of_which_nothing_is_known_any_more_is_not_waited_for(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        scene = desk.scene
        node = desk.rows.need(b"for a moment")
        scene.hold(node)  # a work that reads it
        scene.troubles.add(node.path, Side.GUEST, CHANGING)
        assert scene.troubles.soon
        scene.release(node)
        scene.forget_empty()
        assert list(scene.troubles) == []


def test_what_is_not_to_be_tried_again_by_itself_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    troubles = Troubles()
    troubles.add(b"path", Side.GUEST, CHANGING)
    assert troubles.soon
    now[0] = troubles.next
    assert [one.path for one in troubles.due()] == [b"path"]
    assert not troubles.soon  # it is being tried; whoever waits for that sees it at work
    troubles.add(b"path", Side.GUEST, CHANGING)
    assert troubles.soon


def test_what_has_not_worked_a_thousand_times_is_tried_again_all_the_same() -> None:
    troubles = Troubles()
    for _ in range(3000):
        found = troubles.add(b"log", Side.HOST, "busy")
    assert found.tries == 3000
    assert 0 < found.due - time.monotonic() <= 31
