"""The host's end: what it does that a guest's does not, or not in the same way."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox import confined
from devbox.sync import content, puts
from devbox.sync.endpoint import (
    Answer,
    Barrier,
    Code,
    Event,
    List,
    MakeDirectory,
    Put,
    Read,
    Request,
    Stat,
)
from devbox.sync.host import HostEndpoint
from tests.support.ends import End, put
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
    if limit > 100_000:
        pytest.skip(f"{limit} events fit into the queue: that would take minutes")
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

    monkeypatch.setattr(content, "sync_file", noted("file", content.sync_file))
    monkeypatch.setattr(puts, "sync_file", noted("file", puts.sync_file))
    monkeypatch.setattr(puts, "sync_all", noted("all", puts.sync_all))
    monkeypatch.setattr(confined, "rename_new", noted("rename", confined.rename_new))
    monkeypatch.setattr(confined, "exchange", noted("rename", confined.exchange))
    return found


def test_one_edit_is_on_the_disk_before_it_has_its_name(end: End, order: list[str]) -> None:
    answers: list[Answer] = []
    end.endpoint.ask(put(b"file", b"new"), answers.append)
    assert [answer.code for answer in answers] == [Code.DONE]  # nothing had to be waited for
    assert order == ["file", "rename"]


def test_many_in_quick_succession_are_brought_to_the_disk_together(end: End, order: list[str]) -> None:
    answers: list[Answer] = []
    for number in range(100):
        end.endpoint.ask(put(b"file-%d" % number, b"%d" % number), answers.append)
    while len(answers) < 100:
        end.wait()
    assert {answer.code for answer in answers} == {Code.DONE}
    assert end.contents() == {b"file-%d" % number: b"%d" % number for number in range(100)}
    assert order.count("rename") == 100
    assert order.count("all") + order.count("file") < 20  # the machine may be so slow that some come alone
    assert order[0] != "rename"


@pytest.fixture
def stage(end: End, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Answer]]:
    """Put files in such quick succession that all but the first wait to be in place."""

    def run(*requests: Put) -> list[Answer]:
        answers: list[Answer] = []
        end.endpoint.ask(put(b"first", b""), answers.append)
        monkeypatch.setattr(puts, "QUIET", 1 << 60)
        for request in requests:
            end.endpoint.ask(request, answers.append)
        assert len(answers) == 1
        return answers

    return run


Stage = Callable[..., list[Answer]]
AFTER: dict[str, tuple[Request, Callable[[Answer], bool]]] = {
    "stat": (Stat(b"file"), lambda answer: len(answer.found) == 1),
    "list": (List(b""), lambda answer: {found.name for found in answer.found} == {b"first", b"file"}),
    "read": (Read(b"file", None, 0, 10), lambda answer: answer.data == b"x"),
    "barrier": (Barrier(), lambda answer: answer.code is Code.DONE),
    "directory": (MakeDirectory(b"file"), lambda answer: answer.code is Code.CHANGED),
    "put": (put(b"file", b"again"), lambda answer: answer.code is Code.CHANGED),
}


@pytest.mark.parametrize(("request_", "right"), AFTER.values(), ids=AFTER)
def test_what_is_asked_after_it_finds_it_in_place(
    end: End, stage: Stage, request_: Request, right: Callable[[Answer], bool]
) -> None:
    answers = stage(put(b"file", b"x"))
    asked = end.ask(request_)
    assert right(asked), asked
    assert [answer.code for answer in answers] == [Code.DONE, Code.DONE]
    assert end.contents() == {b"first": b"", b"file": b"x"}


def test_what_does_not_reach_the_disk_is_not_put_in_place(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    (end.tree / "file").write_bytes(b"old")
    stamp = end.there(b"file")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(puts, "sync_file", full)
    answer = end.ask(put(b"file", b"new", stamp))
    assert answer.code is Code.FAILED
    assert answer.errno == errno.ENOSPC
    assert answer.room > 0
    assert end.there(b"file") == stamp


def test_what_changed_while_it_waited_for_the_disk_stays(end: End, stage: Stage) -> None:
    (end.tree / "file").write_bytes(b"old")
    answers = stage(put(b"file", b"new", end.there(b"file")))
    (end.tree / "file").write_bytes(b"edited")
    end.endpoint.process()
    assert [answer.code for answer in answers] == [Code.DONE, Code.CHANGED]
    assert end.contents() == {b"first": b"", b"file": b"edited"}


def test_an_end_that_is_closed_leaves_nothing_half_done(end: End, stage: Stage) -> None:
    answers = stage(put(b"file", b"new"))
    end.reopen()
    assert len(answers) == 1
    assert end.leftovers() == []
