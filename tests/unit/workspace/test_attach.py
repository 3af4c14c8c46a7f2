"""The relay, between pipes and pseudo-terminals of this process and a process that is a Python function."""

import contextlib
import os
import pty
import signal
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devbox.errors import DevboxError
from devbox.runtimes.base import ExecSpec
from devbox.workspace.attach import Streams, attach
from tests.fakes.runtime import PROGRAMS, FakeSession, Program


@dataclass
class Ends:
    """The other ends of the relay's standard streams."""

    streams: Streams
    stdin: int
    stdout: int
    stderr: int

    def close_stdin(self) -> None:
        os.close(self.stdin)
        self.stdin = -1

    def output(self, descriptor: int | None = None) -> bytes:
        return os.read(self.stdout if descriptor is None else descriptor, 65536)


@pytest.fixture
def ends() -> Iterator[Ends]:
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe(), os.pipe()
    found = Ends(Streams(stdin=in_read, stdout=out_write, stderr=err_write), in_write, out_read, err_read)
    yield found
    for descriptor in (in_read, found.stdin, found.stdout, out_write, err_read, err_write):
        if descriptor >= 0:
            os.close(descriptor)


def _attach(program: Program, streams: Streams, *, terminal: bool = False) -> tuple[int, FakeSession]:
    sessions = []

    def start() -> FakeSession:
        spec = ExecSpec(argv=("x",), user="0:0", workdir="/", terminal=terminal)
        sessions.append(FakeSession(spec, program))
        return sessions[0]

    return attach(start, streams=streams, terminal=terminal), sessions[0]


def test_output_errors_and_exit_code_come_through_apart(ends: Ends) -> None:
    def program(process: FakeSession) -> int:
        process.say(b"out")
        process.say(b"err", 2)
        return 7

    status, session = _attach(program, ends.streams)
    assert (status, ends.output(), ends.output(ends.stderr)) == (7, b"out", b"err")
    assert session.closed


def test_input_and_its_end_come_through(ends: Ends) -> None:
    os.write(ends.stdin, b"\x00\xff line\n")
    ends.close_stdin()
    assert _attach(PROGRAMS["cat"], ends.streams)[0] == 0
    assert ends.output() == b"\x00\xff line\n"


def test_a_process_that_reads_nothing_is_not_waited_for(ends: Ends) -> None:
    assert _attach(PROGRAMS["true"], ends.streams)[0] == 0


def test_more_than_any_buffer_holds_goes_through_both_ways(ends: Ends) -> None:
    size, seen = 8 * 1024 * 1024, 0

    def feed() -> None:
        piece = b"x" * 65536
        for _ in range(size // len(piece)):
            os.write(ends.stdin, piece)
        ends.close_stdin()

    def drain() -> None:
        nonlocal seen
        while seen < size:
            seen += len(ends.output())

    threads = [threading.Thread(target=feed), threading.Thread(target=drain)]
    for thread in threads:
        thread.start()
    assert _attach(PROGRAMS["cat"], ends.streams)[0] == 0
    for thread in threads:
        thread.join(30)
    assert seen == size


def test_a_reader_that_has_gone_ends_the_process_by_sigpipe(ends: Ends) -> None:
    def yes(process: FakeSession) -> int:
        while not process.signals and not process.closed:
            process.say(b"y\n" * 1000)
        return 1

    os.close(ends.stdout)
    ends.stdout = -1
    status, session = _attach(yes, ends.streams)
    assert (status, session.signals) == (141, [signal.SIGPIPE])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not possible here: no /dev/full")
def test_a_full_disk_below_the_output_is_an_error_with_a_reason(ends: Ends) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(DevboxError, match="cannot write the command's output: no space left on device"):
            _attach(lambda process: process.say(b"out") or 0, replace(ends.streams, stdout=full))
    finally:
        os.close(full)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_is_passed_on_and_the_handler_of_before_comes_back(ends: Ends, number: signal.Signals) -> None:
    def program(process: FakeSession) -> int:
        os.kill(os.getpid(), number)
        return 128 + process.wait_for_signal()

    before = signal.getsignal(number)
    assert _attach(program, ends.streams)[0] == 128 + number
    assert signal.getsignal(number) is before


def test_a_process_that_has_closed_its_output_still_gets_signals(ends: Ends) -> None:
    class Silent(FakeSession):
        def exit_code(self) -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return 128 + self.wait_for_signal()

    spec = ExecSpec(argv=("x",), user="0:0", workdir="/")
    assert attach(lambda: Silent(spec, PROGRAMS["true"]), streams=ends.streams, terminal=False) == 143


def test_whoever_asks_three_times_is_let_go(ends: Ends) -> None:
    def deaf(process: FakeSession) -> int:
        for count in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGINT)
            process.wait_until(lambda count=count: len(process.signals) >= count)
        return 0

    status, session = _attach(deaf, ends.streams)
    assert (status, session.signals) == (130, [signal.SIGINT] * 2)


@dataclass
class Tty:
    """A pseudo-terminal: what a person types and sees at `master`, what the relay has at both ends."""

    master: int
    slave: int

    @property
    def streams(self) -> Streams:
        return Streams(stdin=self.slave, stdout=self.slave, stderr=self.slave)


@pytest.fixture
def tty() -> Iterator[Tty]:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 120))
    yield Tty(master, slave)
    for descriptor in (master, slave):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def test_the_terminal_is_raw_inside_and_as_before_afterwards(tty: Tty) -> None:
    during = []

    def program(process: FakeSession) -> int:
        os.write(tty.master, b"\x03")  # Ctrl-C is a key like any other
        during.append(process.read())
        during.append(termios.tcgetattr(tty.slave)[3] & (termios.ECHO | termios.ISIG | termios.ICANON))
        return 0

    before = termios.tcgetattr(tty.slave)
    assert tty.streams.terminal
    assert _attach(program, tty.streams, terminal=True)[0] == 0
    assert during == [b"\x03", 0]
    assert termios.tcgetattr(tty.slave) == before


def test_the_terminal_is_given_back_when_the_engine_fails(tty: Tty) -> None:
    class Broken(FakeSession):
        def receive(self) -> tuple[int, bytes] | None:
            raise ConnectionError("gone")

    def program(process: FakeSession) -> int:
        process.say(b"x")
        return 0

    before = termios.tcgetattr(tty.slave)
    spec = ExecSpec(argv=("x",), user="0:0", workdir="/", terminal=True)
    with pytest.raises(ConnectionError):
        attach(lambda: Broken(spec, program), streams=tty.streams, terminal=True)
    assert termios.tcgetattr(tty.slave) == before


def test_the_size_is_told_again_when_it_changes(tty: Tty) -> None:
    def program(process: FakeSession) -> int:
        process.say(b"ready")
        assert os.read(tty.master, 5) == b"ready"
        termios.tcsetwinsize(tty.slave, (50, 132))
        os.kill(os.getpid(), signal.SIGWINCH)
        while process.sizes[-1] != (50, 132) and not process.closed:
            pass
        return 0

    status, session = _attach(program, tty.streams, terminal=True)
    assert status == 0
    assert (40, 120) in session.sizes


def test_a_terminal_that_has_gone_hangs_the_process_up(tty: Tty) -> None:
    def program(process: FakeSession) -> int:
        os.close(tty.master)
        process.say(b"anybody there?")
        return 128 + process.wait_for_signal()

    status, session = _attach(program, tty.streams, terminal=True)
    assert status == 128 + signal.SIGHUP
    assert session.signals[:1] == [signal.SIGHUP]


def test_pipes_are_no_terminal(ends: Ends) -> None:
    assert not ends.streams.terminal
    assert ends.streams.size() == (24, 80)
