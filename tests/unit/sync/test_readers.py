"""Many files are read by a process beside the session's; nothing depends on it."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devbox.sync import readers
from devbox.sync.endpoint import Answer, Gather, List
from devbox.sync.host import HostEndpoint
from devbox.sync.rows import digest_of, packed
from tests.support.ends import left_open, open_files

PATIENCE = 20.0
LONG = "n" * 240
FILES = 250  # of one directory: all that is asked of them is more than a socket holds at once


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostEndpoint]:
    monkeypatch.setattr(readers, "MANY", 0)
    for number in range(FILES):
        (tmp_path / f"{LONG}{number}").write_bytes(b"%d" % number)
    before = open_files()
    with closing(HostEndpoint(tmp_path)) as end:
        yield end
    assert not left_open(before)
    assert _children() == set()


def _children() -> set[int]:
    """The readers that this process has, also those that ended and were not waited for."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        for number in (task / "children").read_text().split():
            if b"devbox.sync.reader" in Path("/proc", number, "cmdline").read_bytes():
                found.add(int(number))
    return found


def _request(end: HostEndpoint) -> Gather:
    answers: list[Answer] = []
    end.ask(List(b""), answers.append)
    return Gather(b"", tuple((found.name, packed(found.stamp)) for found in answers[0].found))


def _wait(end: HostEndpoint, answers: list[Answer], count: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(answers) < count:
        assert select.select([end], [], [], until - time.monotonic())[0], "nothing came"
        end.process()


def _require(answers: list[Answer], request: Gather) -> None:
    expected = [(data, digest_of(data)) for data in (name[len(LONG) :] for name, _ in request.files)]
    assert [list(answer.contents) for answer in answers] == [expected] * len(answers)


def test_more_than_the_line_holds_is_answered_in_its_order(host: HostEndpoint) -> None:
    request, answers = _request(host), list[Answer]()
    for _ in range(40):
        host.ask(request, answers.append)
    assert not answers  # they come from elsewhere
    _wait(host, answers, 40)
    _require(answers, request)


def test_what_a_killed_reader_leaves_is_read_all_the_same(host: HostEndpoint) -> None:
    request, answers = _request(host), list[Answer]()
    for _ in range(10):
        host.ask(request, answers.append)
    _wait(host, answers, 1)
    for number in _children():
        os.kill(number, 9)
    _wait(host, answers, 10)
    _require(answers, request)
    host.ask(request, answers.append)  # by another one, as that one had done well
    assert len(answers) == 10
    _wait(host, answers, 11)
    _require(answers, request)


def test_one_that_cannot_begin_is_tried_once(host: HostEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    request, answers = _request(host), list[Answer]()
    host.ask(request, answers.append)
    _wait(host, answers, 1)
    monkeypatch.setattr(sys, "executable", "/nowhere")
    host.ask(request, answers.append)
    assert len(answers) == 2
    _require(answers, request)


def test_where_none_is_to_be_had_it_goes_without(host: HostEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    request, answers = _request(host), list[Answer]()
    host.ask(request, answers.append)
    assert len(answers) == 1
    _require(answers, request)


def test_one_that_nobody_asks_ends(host: HostEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "IDLE", 0.2)
    request, answers = _request(host), list[Answer]()
    host.ask(request, answers.append)
    _wait(host, answers, 1)
    assert len(_children()) == 1
    assert select.select([host], [], [], PATIENCE)[0]
    host.process()
    assert _children() == set()
    host.ask(request, answers.append)
    _wait(host, answers, 2)
    _require(answers, request)
