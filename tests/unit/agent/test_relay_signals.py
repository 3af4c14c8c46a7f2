"""Signals that come while it relays, and terminals."""

import contextlib
import os
import pty
import signal
import socket
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import AgentLost, Greeting, dial
from devbox.agent.relay import relay
from tests.fakes import agent_messages as says
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess
from tests.unit.agent.conftest import Ends, meanwhile, out, relayed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_is_passed_on_and_the_handler_of_before_comes_back(
    agent: FakeAgent, ends: Ends, number: signal.Signals
) -> None:
    def program(process: FakeProcess) -> int:
        os.kill(os.getpid(), number)
        return 128 + process.wait_for_signal()

    before = signal.getsignal(number)
    assert relayed(agent, program, ends.streams) == 128 + number
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        return 128 + process.wait_for_signal()

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert relayed(agent, program, ends.streams) == 143
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_go_through_while_nobody_reads_the_output(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"x" * 500_000)
        os.kill(os.getpid(), signal.SIGTERM)
        process.wait_for_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        process.wait_until(lambda: len(process.signals) >= 2)
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    assert relayed(agent, program, ends.streams) == 143


def test_whoever_asks_three_times_is_let_go(agent: FakeAgent, ends: Ends) -> None:
    def deaf(process: FakeProcess) -> int:
        for count in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGINT)
            process.wait_until(lambda count=count: len(process.signals) >= count)
        return 0

    assert relayed(agent, deaf, ends.streams) == 130
    agent.processes[0].join()
    assert agent.processes[0].signals[:3] == [signal.SIGINT, signal.SIGINT, signal.SIGHUP]


def test_outside_of_the_main_thread_there_are_no_signals_but_all_else(agent: FakeAgent, ends: Ends) -> None:
    ends.close_stdin()
    with meanwhile(lambda: relayed(agent, out, ends.streams)) as found:
        pass
    assert (found, ends.output()) == ([0], b"out")


@dataclass
class Tty:
    """A pseudo-terminal: what a person types and sees at `master`, what the relay has at both ends."""

    master: int
    slave: int

    @property
    def streams(self) -> list[int]:
        return [self.slave] * 3


@pytest.fixture
def tty() -> Iterator[Tty]:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 120))
    yield Tty(master, slave)
    for descriptor in (master, slave):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def test_the_terminal_is_raw_inside_and_as_before_afterwards(agent: FakeAgent, tty: Tty) -> None:
    during = []

    def program(process: FakeProcess) -> int:
        os.write(tty.master, b"\x03")  # Ctrl-C is a key like any other
        during.append(process.read())
        during.append(termios.tcgetattr(tty.slave)[3] & (termios.ECHO | termios.ISIG | termios.ICANON))
        return 0

    before = termios.tcgetattr(tty.slave)
    assert relayed(agent, program, tty.streams, terminal=True) == 0
    assert during == [b"\x03", 0]
    assert termios.tcgetattr(tty.slave) == before
    assert agent.processes[0].sizes == [(40, 120)]


def test_the_terminal_is_given_back_when_the_agent_dies(agent: FakeAgent, tty: Tty) -> None:
    def program(process: FakeProcess) -> int:
        threading.Thread(target=agent.stop).start()
        process.wait_until(lambda: False)
        return 0

    before = termios.tcgetattr(tty.slave)
    with pytest.raises(AgentLost):
        relayed(agent, program, tty.streams, terminal=True)
    assert termios.tcgetattr(tty.slave) == before


def test_the_size_is_told_again_when_it_changes(agent: FakeAgent, tty: Tty) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"ready")
        assert os.read(tty.master, 5) == b"ready"
        termios.tcsetwinsize(tty.slave, (50, 132))
        os.kill(os.getpid(), signal.SIGWINCH)
        process.wait_until(lambda: process.sizes[-1] == (50, 132))
        return 0

    assert relayed(agent, program, tty.streams, terminal=True) == 0
    assert agent.processes[0].sizes == [(40, 120), (50, 132)]


def test_the_terminal_is_raw_again_after_a_stop(agent: FakeAgent, tty: Tty) -> None:
    def program(process: FakeProcess) -> int:
        termios.tcsetattr(tty.slave, termios.TCSANOW, before)  # as a shell does that had it meanwhile
        os.kill(os.getpid(), signal.SIGCONT)
        process.wait_until(lambda: len(process.sizes) > 1)
        os.write(tty.master, b"\x03")
        process.say(process.read())
        return 0

    before = termios.tcgetattr(tty.slave)
    assert relayed(agent, program, tty.streams, terminal=True) == 0
    assert os.read(tty.master, 10) == b"\x03"


def test_a_terminal_that_has_gone_hangs_the_process_up(agent: FakeAgent, tty: Tty) -> None:
    def program(process: FakeProcess) -> int:
        os.close(tty.master)
        process.say(b"anybody there?")
        return 128 + process.wait_for_signal()

    assert relayed(agent, program, tty.streams, terminal=True) == 128 + signal.SIGHUP
    agent.processes[0].join()
    assert agent.processes[0].signals[0] == signal.SIGHUP


_GENEROUS = says.hello("it") + says.started(1) + wire.window(1, 1 << 30)


@pytest.mark.long
@pytest.mark.parametrize(("words", "said"), [(1000, b""), (1, _GENEROUS)], ids=["of EXEC", "of input"])
def test_an_agent_that_reads_nothing_is_left_at_the_third_signal(tmp_path: Path, words: int, said: bytes) -> None:
    path = tmp_path / "agent.sock"
    with (
        socket.socket(socket.AF_UNIX) as door,
        Path("/dev/zero").open("rb") as zeros,
        Path(os.devnull).open("wb") as out,
    ):
        door.bind(str(path))
        door.listen()
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                request = wire.ExecMessage(["x" * 1000] * words)  # a thousand are more than a socket holds
                streams = {"stdin": zeros.fileno(), "stdout": out.fileno(), "stderr": out.fileno()}
                status = relay(Greeting(dial(str(path)), "it"), request=request, terminal=False, **streams)
            os._exit(status)
        agent, _ = door.accept()
        with agent:
            agent.sendall(said)
            ended = _signalled_until_it_ends(child, signal.SIGINT)
    assert ended == 128 + signal.SIGINT


def _signalled_until_it_ends(child: int, number: int) -> int:
    for _ in range(5):
        time.sleep(0.5)
        os.kill(child, number)
    for _ in range(50):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
