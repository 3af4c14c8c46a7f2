"""Looks at what changes while it is looked at."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.sync.core.entry import Side
from devbox.sync.pump import Work
from devbox.sync.rows import Node, packed
from devbox.sync.ruling import Ruling
from devbox.sync.survey import Survey
from devbox.sync.swap import stamp_of
from tests.support.sync_desk import Desk, desk_at


def test_what_comes_where_a_directory_was_gone_is_looked_through_also_if_it_has_the_same_inode(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        (desk.host / "d").mkdir()
        desk.scan()
        node = desk.rows.find(b"d")
        assert node is not None
        spare = desk.host.with_name("spare")
        (desk.host / "d").rename(spare)
        desk.run(desk.cycle.survey.scan({Side.HOST: [node]}))  # it is gone just then
        (spare / "new").write_text("1")
        spare.rename(desk.host / "d")
        found: list[Node] = []

        def look() -> Work[None]:
            tops = yield from desk.cycle.survey.look({Side.HOST: {b"d"}})
            found.extend(tops[Side.HOST])

        desk.run(look())
        assert found == [node]


TREE = ("file", "same", "d/file", "d/below/file", ".git/index.lock")


def told(desk: Desk) -> Iterator[object]:
    """Yield what is known of each path after an edit of it was told of with its content."""
    survey = desk.cycle.survey
    for text in ("new", "x" * 40_000, ""):
        for path in map(os.fsencode, (*TREE, "unknown", "d", "link")):
            place = desk.guest / os.fsdecode(path)
            if not place.is_dir() and path != b"same":
                place.write_text(text)
            stamp = stamp_of(place.stat())
            data = b"" if place.is_dir() else place.read_bytes()
            desk.scene.told[Side.GUEST, path] = (stamp, data)
            desk.run(_look(survey, path))
            node = desk.rows.find(path)
            fresh = sorted(one.path for one in desk.scene.fresh)
            yield path, None if node is None else (node.host, node.base, node.guest), fresh
            if node is not None:
                if data:  # else it may be that of before, by the clock of the file system
                    yield node.guest_stamp == packed(stamp)
                yield survey.contents.take(Side.GUEST, node)[1]
            if path in fresh and data:
                yield desk.scene.latest[Side.GUEST] >= stamp.ctime


def _look(survey: Survey, path: bytes) -> Work[None]:
    yield from survey.look({Side.GUEST: {path}})


def test_an_edit_that_is_told_of_is_taken_as_by_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for way in ("short", "long"):
        if way == "long":
            monkeypatch.setattr(Survey, "_take_edit", lambda *_: False)
        with desk_at(tmp_path / way) as desk:
            for name in TREE:
                (desk.host / name).parent.mkdir(parents=True, exist_ok=True)
                (desk.host / name).write_text("old")
            (desk.host / "link").symlink_to("d")
            desk.scan()
            (desk.guest / "link").unlink()
            found.append(list(told(desk)))
    assert found[0] == found[1]


def test_what_is_told_of_is_not_taken_where_nobody_knows_what_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk_at(tmp_path) as desk:
        (desk.host / "file").write_text("old")
        desk.scan()
        monkeypatch.setattr(Ruling, "sealed", lambda *_: True)
        (desk.guest / "file").write_text("new")
        desk.scene.told[Side.GUEST, b"file"] = (stamp_of((desk.guest / "file").stat()), b"new")
        desk.run(_look(desk.cycle.survey, b"file"))
        assert not desk.scene.fresh
