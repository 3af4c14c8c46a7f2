"""The door to processes, on programs that every machine has."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from devbox import process as module
from devbox.errors import CommandFailedError
from devbox.interrupts import SignalledError, signals_raise
from devbox.process import HostProcesses
from tests.fakes.reporter import RecordingReporter
from tests.support.waiting import until as wait_until


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def processes(reporter: RecordingReporter) -> HostProcesses:
    return HostProcesses(reporter)


def test_output_and_status_come_back(processes: HostProcesses) -> None:
    done = processes.run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin="in", check=False)
    assert (done.status, done.stdout, done.stderr) == (3, "in", "err\n")


def test_stdin_is_empty_unless_given(processes: HostProcesses) -> None:
    assert processes.run(["cat"]).stdout == ""


def test_a_signal_becomes_128_and_its_number(processes: HostProcesses) -> None:
    assert processes.run(["sh", "-c", "kill -9 $$"], check=False).status == 137


def test_failure_carries_the_programs_own_words(processes: HostProcesses) -> None:
    with pytest.raises(CommandFailedError, match="exit code 4") as caught:
        processes.run(["sh", "-c", "echo why >&2; exit 4"])
    assert caught.value.detail == "why"


def test_a_missing_program_is_named(processes: HostProcesses) -> None:
    with pytest.raises(CommandFailedError, match="no-such-program is not installed"):
        processes.run(["no-such-program"])


def test_a_program_that_hangs_is_ended(processes: HostProcesses) -> None:
    with pytest.raises(CommandFailedError, match="did not end within"):
        processes.run(["sleep", "60"], timeout=0.05)


STARTS = "trap 'echo cleaned > trap; exit' TERM; sleep 600 & echo $! > pid; wait"


def test_with_a_program_that_hangs_goes_what_it_started(processes: HostProcesses, tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="did not end within"):
        processes.run(["sh", "-c", STARTS], cwd=tmp_path, timeout=0.5)
    assert (tmp_path / "trap").read_text() == "cleaned\n"
    wait_until(lambda: not lives(int((tmp_path / "pid").read_text())), within=10)


def test_so_it_does_when_this_is_interrupted(processes: HostProcesses, tmp_path: Path) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    with signals_raise():
        timer.start()
        with pytest.raises(SignalledError):
            processes.run(["sh", "-c", STARTS], cwd=tmp_path)
    timer.join()
    wait_until(lambda: not lives(int((tmp_path / "pid").read_text())), within=10)


def test_one_that_does_not_listen_is_made_to_end(
    processes: HostProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE", 0.1)
    with pytest.raises(CommandFailedError, match="did not end within"):
        processes.run(["sh", "-c", "trap '' TERM; sleep 600 & echo $! > pid; wait"], cwd=tmp_path, timeout=0.5)
    wait_until(lambda: not lives(int((tmp_path / "pid").read_text())), within=10)


def test_what_a_program_leaves_behind_on_purpose_stays(processes: HostProcesses, tmp_path: Path) -> None:
    processes.run(["sh", "-c", "sleep 60 > /dev/null 2>&1 & echo $! > pid"], cwd=tmp_path)
    pid = int((tmp_path / "pid").read_text())
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_lines_are_yielded_as_they_come_and_leaving_ends_the_program(processes: HostProcesses) -> None:
    lines = processes.lines(["sh", "-c", "echo one; echo two >&2; exec sleep 60"])
    assert next(lines) == "one"
    assert next(lines) == "two"
    lines.close()  # type: ignore[attr-defined] # a generator; would hang for a minute if the program lived on


def test_lines_of_a_program_that_fails_end_in_its_last_words(processes: HostProcesses) -> None:
    with pytest.raises(CommandFailedError) as caught:
        list(processes.lines(["sh", "-c", "seq 100; exit 1"]))
    assert caught.value.detail is not None
    assert caught.value.detail.splitlines() == [str(n) for n in range(71, 101)]


def test_every_command_is_reported_so_that_it_can_be_pasted(
    processes: HostProcesses, reporter: RecordingReporter
) -> None:
    processes.run(["echo", "a b", "$c"], env={"D": "e f"})
    assert "D='e f' echo 'a b' '$c'" in reporter.debugged


def test_what_is_started_outlives_nothing_but_the_log(processes: HostProcesses, tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = processes.start([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], log=log)
    os.waitpid(pid, 0)
    assert log.read_text() == "True\n"


def test_what_is_started_into_a_reader_is_read_to_its_end_and_its_files_are_nobody_elses(
    processes: HostProcesses, tmp_path: Path
) -> None:
    reader = ["sh", "-c", "cat > said; : > end"]
    program = "import os, sys; print('err', file=sys.stderr, flush=True); print(os.getcwd(), os.getsid(0))"
    pid = processes.start_into(reader, [sys.executable, "-c", program], cwd=tmp_path)
    wait_until((tmp_path / "end").exists)
    assert (tmp_path / "said").read_text().split() == ["err", str(tmp_path), str(pid)]
    assert (tmp_path / "said").stat().st_mode & 0o777 == 0o600


def test_nothing_reads_what_cannot_be_started(processes: HostProcesses, tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="no-such-program is not installed"):
        processes.start_into(["sh", "-c", "cat; : > end"], ["no-such-program"], cwd=tmp_path)
    wait_until((tmp_path / "end").exists)
