"""The trash of the host: what a session put there comes back, and goes when it is old."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from devbox import confined
from devbox.sync.emptying import empty_guest
from devbox.sync.endpoint import Answer, Code, List, MakeLink, Remove, Request
from devbox.sync.host import HostEndpoint
from devbox.sync.trash import DAYS, Trash, Undone, batch_name
from tests.support import sync_bed
from tests.support.agent import host_agent
from tests.support.ends import End, left_open, open_files, put
from tests.support.sync_guest import agent_program, guest_of

NOW = 1_800_000_000
DAY = 24 * 60 * 60
BATCH = batch_name(7, NOW)


@pytest.fixture
def end(tmp_path: Path) -> Iterator[End]:
    (tmp_path / "tree").mkdir()
    before = open_files()
    end = End(tmp_path / "tree", HostEndpoint)
    yield end
    assert not end.leftovers()
    end.endpoint.close()
    assert not left_open(before)


@pytest.fixture
def trash(end: End) -> Iterator[Trash]:
    found = Trash(end.tree)
    yield found
    found.close()


def keep(path: bytes, batch: bytes = BATCH) -> bytes:
    return batch + b"/" + path


def remove(end: End, path: bytes, batch: bytes = BATCH) -> None:
    end.do(Remove(path, end.there(path), keep(path, batch)))


def test_without_a_trash_there_is_nothing(trash: Trash) -> None:
    assert trash.batches() == []
    assert trash.expire(NOW) == 0


def test_it_lists_what_was_put_there(end: End, trash: Trash) -> None:
    end.path(b"a\xff").mkdir()
    end.path(b"a\xff/b").mkdir()
    end.path(b"a\xff/b/file").write_bytes(b"1")
    (end.tree / "link").symlink_to("a")
    remove(end, b"a\xff/b/file")
    remove(end, b"link")
    (end.tree / "later").write_bytes(b"2")
    remove(end, b"later", batch_name(8, NOW + 5))
    found = trash.batches()
    assert [(batch.when, batch.paths) for batch in found] == [
        (NOW + 5, (b"later",)),
        (NOW, (b"a\xff/b/file", b"link")),
    ]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_nobody_else_looks_into_it_whatever_the_umask(end: End, trash: Trash, umask: int) -> None:
    (end.tree / "a/b").mkdir(parents=True)
    (end.tree / ".devbox").mkdir()
    old = os.umask(umask)
    try:
        for path in (b"a/b/first", b"a/b/next", b"a/other"):
            end.path(path).write_bytes(b"1")
            end.path(path).chmod(0o600)
            remove(end, path)
    finally:
        os.umask(old)
    above = [end.tree / ".devbox/trash", *(end.tree / ".devbox/trash").rglob("*/")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in above if path.is_dir()} <= {0o700, 0o700 & ~umask}
    assert [batch.paths for batch in trash.batches()] == [(b"a/b/first", b"a/b/next", b"a/other")]


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_where_others_may_write_each_name_is_looked_at_on_the_way(
    end: End, trash: Trash, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """Else one of them could put a link there, between one name and the next."""
    monkeypatch.setattr(confined, "make_new", lambda *_: pytest.fail("it went all the way at once"))
    (end.tree / "d").mkdir()
    (end.tree / "d/file").write_bytes(b"1")
    (end.tree / ".devbox/trash").mkdir(parents=True)
    (end.tree / ".devbox/trash").chmod(mode)
    remove(end, b"d/file")
    assert [batch.paths for batch in trash.batches()] == [(b"d/file",)]


def test_a_batch_that_is_a_link_is_not_gone_through(end: End, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (end.tree / ".devbox/trash").mkdir(parents=True)
    (end.tree / ".devbox/trash" / os.fsdecode(BATCH)).symlink_to(outside)
    (end.tree / "d").mkdir()
    (end.tree / "d/file").write_bytes(b"1")
    for path in (b"d/file", b"d/file"):  # what is not known of a batch, and what is
        answer = end.ask(Remove(path, end.there(path), keep(path)))
        assert answer.code is Code.FAILED
    assert (end.tree / "d/file").read_bytes() == b"1"
    assert not list(outside.iterdir())


def test_what_was_replaced_and_removed_comes_back(end: End, trash: Trash) -> None:
    (end.tree / "a").mkdir()
    for name in (b"edited", b"a/removed"):
        end.path(name).write_bytes(b"old " + name)
    (end.tree / "link").symlink_to("target")
    end.do(put(b"edited", b"new", end.there(b"edited"), keep=keep(b"edited")))
    end.do(MakeLink(b"link", end.there(b"link"), b"other", keep(b"link")))
    remove(end, b"a/removed")
    end.do(Remove(b"a", end.there(b"a")))
    (batch,) = trash.batches()
    done = trash.undo(batch, NOW + 1)
    assert done == [Undone(b"a/removed"), Undone(b"edited"), Undone(b"link")]
    assert end.contents() == {b"edited": b"old edited", b"a/removed": b"old a/removed"}
    assert (end.tree / "link").readlink() == Path("target")


def test_what_was_there_instead_can_be_brought_back_too(end: End, trash: Trash) -> None:
    (end.tree / "file").write_bytes(b"old")
    end.do(put(b"file", b"new", end.there(b"file"), keep=keep(b"file")))
    trash.undo(trash.batches()[0], NOW + 1)
    (batch,) = trash.batches()
    assert trash.undo(batch, NOW + 2) == [Undone(b"file")]
    assert end.contents() == {b"file": b"new"}
    assert list(end.trash().values()) == [b"old"]


@pytest.mark.parametrize("way", ["directory", "link above", "file above"])
def test_what_is_in_the_way_stays_and_so_does_the_trash(end: End, trash: Trash, tmp_path: Path, way: str) -> None:
    (end.tree / "a").mkdir()
    (end.tree / "a/file").write_bytes(b"old")
    (end.tree / "good").write_bytes(b"good")
    remove(end, b"a/file")
    remove(end, b"good")
    match way:
        case "directory":
            (end.tree / "a/file").mkdir()
        case "link above":
            (end.tree / "a").rmdir()
            (end.tree / "a").symlink_to(tmp_path)
        case "file above":
            (end.tree / "a").rmdir()
            (end.tree / "a").write_bytes(b"a file")
    failed, good = trash.undo(trash.batches()[0], NOW)
    assert failed.path == b"a/file"
    assert failed.problem
    assert good == Undone(b"good")
    assert end.trash() == {keep(b"a/file"): b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_it_goes_by_its_name_when_it_is_old(end: End, trash: Trash) -> None:
    ages = {"old": DAYS + 1, "young": DAYS - 1}
    for name, days in ages.items():
        (end.tree / name).write_bytes(name.encode())
        remove(end, name.encode(), batch_name(1, NOW - days * DAY))
    (end.tree / ".devbox/trash/by hand").mkdir()
    (end.tree / ".devbox/trash/by hand/x").write_bytes(b"mine")
    assert trash.expire(NOW) == 1
    assert set(end.trash().values()) == {b"young", b"mine"}


def test_a_trash_behind_a_link_is_none(end: End, trash: Trash, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / os.fsdecode(batch_name(1, 0))
    outside.mkdir(parents=True)
    (end.tree / ".devbox").mkdir()
    (end.tree / ".devbox/trash").symlink_to(outside.parent)
    assert trash.batches() == []
    assert trash.expire(NOW) == 0
    assert outside.exists()


def test_a_session_removes_what_is_old_on_both_sides(tmp_path: Path) -> None:
    with host_agent(argv=[agent_program()]) as agent:
        bed = sync_bed.Bed(tmp_path / "bed", guest_end=lambda root: guest_of(agent, root))
        old, young = (os.fsdecode(batch_name(1, time.time() - days * DAY)) for days in (DAYS + 1, DAYS - 1))
        bins = [root / ".devbox/trash" for root in (bed.host, bed.guest)]
        for kept in bins:
            sync_bed.put(kept, {f"{name}/{path}": "x" for name in (old, young, "by hand") for path in ("a", "d/e/f")})
            (kept / old / "d/link").symlink_to(tmp_path)
            (kept / old / "empty").mkdir()
        with bed.running() as session:
            sync_bed.flushed(session)
            sync_bed.eventually(
                lambda: [sorted(path.name for path in kept.iterdir()) for kept in bins] == [[young, "by hand"]] * 2
            )
        for kept in bins:
            assert len([path for path in kept.rglob("*") if path.is_file()]) == 4


def test_a_guest_whose_trash_has_no_end_is_left(tmp_path: Path) -> None:
    """It says of every directory that there is another one in it: that is looked at for a while only."""
    bed, asked = sync_bed.Bed(tmp_path), list[Request]()
    old = batch_name(1, time.time() - (DAYS + 1) * DAY)
    (bed.guest / ".devbox/trash" / os.fsdecode(old)).mkdir(parents=True)
    with closing(HostEndpoint(bed.guest)) as real:
        answers: list[Answer] = []
        real.ask(List(b".devbox/trash"), answers.append)
        work = empty_guest(time.time(), most=50)
        asks = next(work)
        while True:
            asked += [one.request for one in asks]
            assert len(asked) < 200
            try:
                asks = work.send([answers[0] for _ in asks])
            except StopIteration:
                break
    assert {type(one) for one in asked} == {List, Remove}
    assert all(one.path.startswith(b".devbox/trash") for one in asked if isinstance(one, List | Remove))


def test_all_that_one_cycle_changes_is_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = sync_bed.Bed(tmp_path)
    sync_bed.put(bed.host, {f"{number}": f"{number}" for number in range(20)})
    bed.once()
    seconds = count(NOW)
    real = time.gmtime
    monkeypatch.setattr(time, "gmtime", lambda _=0: real(next(seconds)))  # each look at the clock shows another
    with bed.running() as session:
        sync_bed.flushed(session)
        for many in (20, 5):  # by a plan, and by the shortest way
            session.pause()
            sync_bed.put(bed.guest, {f"{number}": f"new {many}" for number in range(many)})
            (bed.guest / f"{many - 1}").unlink()
            session.resume()
            sync_bed.flushed(session)
    trash = Trash(bed.host)
    try:
        assert sorted(len(batch.paths) for batch in trash.batches()) == [5, 20]
    finally:
        trash.close()
