"""The host's end: what it does that a guest's does not, or not in the same way."""

import errno
import os
import selectors
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox import confined
from devbox.sync import puts
from devbox.sync.endpoint import (
    Answer,
    Begin,
    Chunk,
    Code,
    Commit,
    Event,
    Settle,
)
from devbox.sync.host import HostEndpoint
from tests.support.ends import End, digest, left_open, open_files, put
from tests.support.skips import NOT_HERE


@pytest.fixture
def end(tmp_path: Path) -> Iterator[End]:
    (tmp_path / "tree").mkdir()
    end = End(tmp_path / "tree", HostEndpoint)
    yield end
    assert not end.leftovers()
    end.endpoint.close()


def test_a_replaced_file_keeps_its_owner(end: End) -> None:
    if os.geteuid() != 0:
        pytest.skip(NOT_HERE + "only root can give files away")
    (end.tree / "file").write_bytes(b"old")
    os.chown(end.tree / "file", 4321, 4322)
    end.do(put(b"file", b"new", end.there(b"file")))
    found = (end.tree / "file").stat()
    assert (found.st_uid, found.st_gid) == (4321, 4322)


def test_the_same_is_told_once(end: End) -> None:
    number = end.watch(b"")
    for _ in range(500):
        (end.tree / "file").write_bytes(b"x")
    assert end.told() == [Event(number, b"file")]


def test_a_queue_that_ran_over_says_so_and_goes_on(end: End) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    end.watch(b"")
    end.told()
    names = [os.fspath(end.tree / name) for name in ("one", "two")]
    Path(names[0]).touch()
    for _ in range(limit // 2 + 10):  # two events each
        os.rename(names[0], names[1])  # noqa: PTH104 (it is much faster)
        names.reverse()
    told = end.told()
    assert any(event.watch == -1 for event in told)
    number = end.watch(b"")
    end.told()
    (end.tree / "after").touch()
    assert end.told() == [Event(number, b"after")]


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk and what changes names, in its order."""
    found: list[str] = []

    def noted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*values: object) -> object:
            found.append(name)
            return real(*values)

        return call

    monkeypatch.setattr(puts, "sync_named", noted("file", puts.sync_named))
    monkeypatch.setattr(puts, "sync_all", noted("all", puts.sync_all))
    monkeypatch.setattr(confined, "rename_new", noted("rename", confined.rename_new))
    monkeypatch.setattr(confined, "exchange", noted("rename", confined.exchange))
    return found


def test_one_edit_has_its_name_at_once_and_is_on_the_disk_after_settle(end: End, order: list[str]) -> None:
    answers: list[Answer] = []
    end.endpoint.ask(put(b"file", b"new"), answers.append)
    assert [answer.code for answer in answers] == [Code.DONE]  # nothing had to be waited for
    assert order == ["rename"]
    end.do(Settle())
    assert order == ["rename", "file"]
    end.do(Settle())
    assert order == ["rename", "file"]


def test_a_big_file_is_settled_with_its_name(end: End, order: list[str]) -> None:
    end.do(Begin(1, b"big", digest(b"content")))
    end.do(Chunk(1, 0, b"content"))
    end.do(Commit(1, b"big", None, 7, digest(b"content"), executable=False, mtime=1))
    end.do(Settle())
    assert order == ["rename", "file"]


def test_many_are_brought_to_the_disk_together(end: End, order: list[str]) -> None:
    for number in range(100):
        end.do(put(b"file-%d" % number, b"%d" % number))
    assert end.contents() == {b"file-%d" % number: b"%d" % number for number in range(100)}
    before = open_files()
    end.do(Settle())
    assert open_files() < before
    assert order == ["rename"] * 100 + ["all"]


def test_what_does_not_reach_the_disk_is_told_when_it_is_asked_for(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(puts, "sync_named", full)
    end.do(put(b"file", b"new"))
    answer = end.ask(Settle())
    assert (answer.code, answer.errno) == (Code.FAILED, errno.ENOSPC)
    assert answer.room > 0


def test_an_end_that_finds_no_descriptor_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = open_files()
    monkeypatch.setattr(selectors, "DefaultSelector", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        HostEndpoint(tmp_path)
    assert not left_open(before)
