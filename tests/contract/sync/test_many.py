"""Gather, Plant, and a List of what is known: many at once are what they are one by one."""

import os
from pathlib import Path

import pytest

from devbox.sync.endpoint import SMALL, Gather, List, Plant, Seed
from devbox.sync.rows import packed, unpacked
from tests.support.ends import WHEN, End, digest

CONTENTS = {b"empty": b"", b"text": b"hello\n", b"large": os.urandom(SMALL)}


def seed(name: bytes, data: bytes, *, executable: bool = False) -> Seed:
    return Seed(name, data, digest(data), executable, WHEN)


@pytest.mark.parametrize("path", [b"", b"a/b"])
def test_what_was_planted_is_there_and_can_be_gathered(end: End, path: bytes) -> None:
    directory = end.tree / os.fsdecode(path)
    directory.mkdir(parents=True, exist_ok=True)
    files = tuple(seed(name, data, executable=name == b"text") for name, data in CONTENTS.items())
    stamps = [one and unpacked(one) for one in end.do(Plant(path, files)).stamps]
    names = end.names(path)
    assert {name: names[name].stamp for name in CONTENTS} == dict(zip(CONTENTS, stamps, strict=True))
    assert all(one and one.mtime == WHEN for one in stamps)
    assert {name: (directory / os.fsdecode(name)).read_bytes() for name in CONTENTS} == CONTENTS
    assert [os.access(directory / os.fsdecode(name), os.X_OK) for name in CONTENTS] == [False, True, False]
    gathered = end.do(Gather(path, tuple((name, packed(names[name].stamp)) for name in CONTENTS)))
    assert gathered.contents == tuple((data, digest(data)) for data in CONTENTS.values())


def test_each_goes_as_by_itself(end: End) -> None:
    (end.tree / "there").write_bytes(b"mine")
    (end.tree / "directory").mkdir()
    wrong = seed(b"wrong", b"one")._replace(data=b"other")
    files = (seed(b"new", b"new"), seed(b"there", b"yours"), seed(b"directory", b""), wrong, seed(b"last", b"last"))
    stamps = end.do(Plant(b"", files)).stamps
    assert [stamp is not None for stamp in stamps] == [True, False, False, False, True]
    assert (end.tree / "there").read_bytes() == b"mine"
    assert set(end.names()) == {b"new", b"there", b"directory", b"last"}


def test_what_changed_or_is_no_file_is_not_gathered(end: End, outside: Path) -> None:
    for name in ("same", "changed", "gone", "link"):
        (end.tree / name).write_bytes(name.encode())
    wanted = tuple((name, packed(found.stamp)) for name, found in sorted(end.names().items()))
    (end.tree / "changed").write_bytes(b"another")
    (end.tree / "gone").unlink()
    (end.tree / "link").unlink()
    (end.tree / "link").symlink_to(outside / "secret")
    assert end.do(Gather(b"", wanted)).contents == (None, None, None, (b"same", digest(b"same")))


def test_nothing_is_gathered_or_planted_elsewhere(end: End, outside: Path) -> None:
    (end.tree / "link").symlink_to(outside)
    (end.tree / "file").write_bytes(b"x")
    stamp = packed(end.there(b"file"))
    for path, name in ((b"link", b"secret"), (b"..", b"outside"), (b"", b"../outside/secret"), (b"", b"link/secret")):
        answer = end.ask(Gather(path, ((name, stamp),)))
        assert answer.contents in {(), (None,)}
        planted = end.ask(Plant(path, (seed(name + b"-new", b"x"),)))
        assert planted.stamps in {(), (None,)}
    assert [one.name for one in outside.iterdir()] == ["secret"]


def test_a_list_tells_only_the_number_of_what_is_known(end: End) -> None:
    for name in ("same", "changed", "gone"):
        (end.tree / name).write_bytes(name.encode())
    known: dict[bytes, bytes | None] = {name: packed(one.stamp) for name, one in end.names().items()}
    (end.tree / "changed").write_bytes(b"another")
    (end.tree / "gone").unlink()
    (end.tree / "new").write_bytes(b"")
    answer = end.do(List(b"", known=known))
    assert list(answer.same) == [b"same"]
    assert {found.name for found in answer.found} == {b"changed", b"new"}
