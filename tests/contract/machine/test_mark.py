"""A process is known by when it was started, on processes that every machine has."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import mark
from devbox.vm.mark import Mark, Marks
from tests.support.waiting import until


@pytest.fixture
def processes() -> HostProcesses:
    return HostProcesses(SilentReporter())


@pytest.fixture
def marks(processes: HostProcesses) -> Marks:
    return Marks(processes)


@pytest.fixture
def sleeper(processes: HostProcesses, marks: Marks, tmp_path: Path) -> Iterator[Mark]:
    pid = processes.start([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")
    made = marks.started(pid)
    yield made
    marks.kill(made)
    marks.ended(made, 10)
    marks.reap(made)


def test_it_lives_until_it_is_killed_and_its_exit_code_is_told_once(marks: Marks, sleeper: Mark) -> None:
    assert marks.lives(sleeper)
    assert marks.of(sleeper.pid) == sleeper
    assert not marks.ended(sleeper, 0)
    assert marks.reap(sleeper) is None
    marks.kill(sleeper)
    assert marks.ended(sleeper, 10)
    assert marks.of(sleeper.pid) is None, "one that has ended and waits to be reaped is no process"
    assert marks.reap(sleeper) == 128 + signal.SIGKILL
    assert marks.reap(sleeper) is None


def test_it_is_found_by_words_that_follow_each_other_in_its_command(
    processes: HostProcesses, marks: Marks, tmp_path: Path
) -> None:
    word = f"word-{tmp_path.name}-{os.getpid()}"
    pid = processes.start([sys.executable, "-c", "import time; time.sleep(60)", "-x", word], log=tmp_path / "log")
    made = marks.started(pid)
    until(lambda: marks.started_with("-x", word) == made)  # a process that begins another program shows no command
    assert marks.started_with("-x", word[:-1]) is None, "part of a word is not the word"
    assert marks.started_with(word, "-x") is None
    marks.kill(made)
    until(lambda: not marks.lives(made))
    assert marks.started_with("-x", word) is None
    marks.reap(made)


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "another"}])
def test_one_that_was_started_at_another_time_is_somebody_elses(
    marks: Marks, sleeper: Mark, change: dict[str, str]
) -> None:
    other = replace(sleeper, **change)
    assert not marks.lives(other)
    assert marks.handle(other) is None
    assert marks.ended(other, 0)
    marks.kill(other)
    assert marks.lives(sleeper)


def test_where_ps_is_asked_it_is_the_same_process_in_every_language_and_time_zone(
    marks: Marks, sleeper: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark, "_BOOT", Path("/nowhere"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    found = marks.of(sleeper.pid)
    assert found == Mark(pid=sleeper.pid, started=found.started if found else "", boot="")
    assert re.fullmatch(r"\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}", found.started)
    monkeypatch.setenv("TZ", "UTC+5")
    assert marks.lives(found)
    marks.kill(found)
    until(lambda: not marks.lives(found))
    assert marks.reap(found) == 128 + signal.SIGKILL


def test_its_handle_tells_of_its_end(marks: Marks, sleeper: Mark) -> None:
    import select

    handle = marks.handle(sleeper)
    if handle is None:
        assert not hasattr(os, "pidfd_open")
        return
    assert select.select([handle], [], [], 0)[0] == []
    os.kill(sleeper.pid, signal.SIGKILL)
    assert select.select([handle], [], [], 10)[0] == [handle]
    os.close(handle)


def test_a_pid_that_nobody_has_is_no_process(marks: Marks) -> None:
    assert marks.of(2**22 + 1) is None
    assert not marks.lives(Mark(pid=2**22 + 1, started="1", boot=""))
