"""The relay, between pipes and pseudo-terminals of this process and a process that is a Python function."""

import contextlib
import errno
import fcntl
import os
import pty
import signal
import socket
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import AgentLost, NoAgent, OtherAgent, StartError, dial
from devbox.agent.relay import OutputError, relay
from tests.fakes import agent_messages as says
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess, Program
from tests.fakes.engine_streams import Outcome


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    with FakeAgent(tmp_path / "agent.sock", "it") as found:
        yield found


@dataclass
class Ends:
    """The other ends of the relay's standard streams, and the streams themselves."""

    streams: list[int]
    stdin: int
    stdout: int
    stderr: int

    def close_stdin(self) -> None:
        os.close(self.stdin)
        self.stdin = -1

    def close_stdout(self) -> None:
        os.close(self.stdout)
        self.stdout = -1

    def output(self, descriptor: int | None = None) -> bytes:
        return os.read(self.stdout if descriptor is None else descriptor, 65536)


@pytest.fixture
def ends() -> Iterator[Ends]:
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe(), os.pipe()
    given = [in_read, out_write, err_write]
    found = Ends(list(given), in_write, out_read, err_read)
    yield found
    for descriptor in (*given, found.stdin, found.stdout, found.stderr):
        if descriptor >= 0:
            os.close(descriptor)


def _relay(
    agent: FakeAgent, program: Program, streams: list[int], *, terminal: bool = False, flags: int = wire.FLAG_STDIN
) -> int:
    agent.program = program
    request = wire.ExecMessage(["x"], flags=flags | wire.FLAG_TERMINAL * terminal)
    stdin, stdout, stderr = streams
    return relay(
        dial(agent.path),
        identity="it",
        request=request,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        terminal=terminal,
    )


def _cat(process: FakeProcess) -> int:
    while data := process.read():
        process.say(data)
    return 0


def _true(process: FakeProcess) -> int:
    return 0


def _out(process: FakeProcess) -> int:
    process.say(b"out")
    return 0


def test_output_errors_and_exit_code_come_through_apart(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"out")
        process.say(b"err", 2)
        return 7

    status = _relay(agent, program, ends.streams)
    assert (status, ends.output(), ends.output(ends.stderr)) == (7, b"out", b"err")


def test_one_pipe_for_both_keeps_their_order(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        for number in range(100):
            process.say(b"%d " % number, 1 + number % 2)
        return 0

    assert _relay(agent, program, [ends.streams[0], ends.streams[1], ends.streams[1]]) == 0
    assert ends.output().split() == [b"%d" % number for number in range(100)]


def test_input_and_its_end_come_through(agent: FakeAgent, ends: Ends) -> None:
    os.write(ends.stdin, b"\x00\xff line\n")
    ends.close_stdin()
    assert _relay(agent, _cat, ends.streams) == 0
    assert ends.output() == b"\x00\xff line\n"


def test_a_process_that_reads_nothing_is_not_waited_for(agent: FakeAgent, ends: Ends) -> None:
    assert _relay(agent, _true, ends.streams) == 0


def _feed(ends: Ends, size: int) -> None:
    piece = b"x" * 65536
    for _ in range(size // len(piece)):
        os.write(ends.stdin, piece)
    ends.close_stdin()


def _drain(descriptor: int, size: int) -> int:
    seen = 0
    while seen < size and (data := os.read(descriptor, 65536)):
        seen += len(data)
    return seen


@contextlib.contextmanager
def _meanwhile(*jobs: Callable[[], object]) -> Iterator[list[object]]:
    found: list[object] = []
    threads = [threading.Thread(target=lambda job=job: found.append(job())) for job in jobs]
    for thread in threads:
        thread.start()
    yield found
    for thread in threads:
        thread.join(30)


def test_more_than_any_buffer_holds_goes_through_both_ways(agent: FakeAgent, ends: Ends) -> None:
    size = 8 * 1024 * 1024
    with _meanwhile(lambda: _feed(ends, size), lambda: _drain(ends.stdout, size)) as found:
        assert _relay(agent, _cat, ends.streams) == 0
    assert size in found


def test_output_that_nobody_reads_holds_up_neither_input_nor_the_other_output(agent: FakeAgent, ends: Ends) -> None:
    size = 512 * 1024

    def program(process: FakeProcess) -> int:
        process.say(b"o" * size)  # more than the pipe holds, less than the window
        seen = 0
        while data := process.read():
            seen += len(data)
        process.say(b"%d" % seen, 2)
        return 0

    def reader() -> bytes:
        _feed(ends, size)
        said = ends.output(ends.stderr)  # only now anybody reads stdout
        _drain(ends.stdout, size)
        return said

    with _meanwhile(reader) as found:
        assert _relay(agent, program, ends.streams) == 0
    assert found == [b"%d" % size]


def test_non_blocking_streams_of_the_caller_are_waited_for_and_left_as_they_are(agent: FakeAgent, ends: Ends) -> None:
    size = 1024 * 1024
    for descriptor in ends.streams:
        os.set_blocking(descriptor, False)
    with _meanwhile(lambda: _feed(ends, size), lambda: _drain(ends.stdout, size)) as found:
        assert _relay(agent, _cat, ends.streams) == 0
    assert size in found
    assert not any(os.get_blocking(descriptor) for descriptor in ends.streams)


def test_blocking_streams_of_the_caller_stay_so(agent: FakeAgent, ends: Ends) -> None:
    ends.close_stdin()
    assert _relay(agent, _out, ends.streams) == 0
    assert all(os.get_blocking(descriptor) for descriptor in ends.streams)


def test_sockets_for_streams(agent: FakeAgent, ends: Ends) -> None:
    size = 1024 * 1024
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send, drain = (
            lambda: ours.sendall(b"x" * size) or ours.shutdown(socket.SHUT_WR),
            lambda: _drain(ours.fileno(), size),
        )
        with _meanwhile(send, drain) as found:
            assert _relay(agent, _cat, [theirs.fileno(), theirs.fileno(), ends.streams[2]]) == 0
        assert size in found
        assert theirs.getblocking()


@pytest.mark.parametrize("path", ["/dev/null", "/", "file"])
def test_input_that_is_no_pipe(agent: FakeAgent, ends: Ends, tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_bytes(b"text")
    descriptor = os.open(tmp_path / path, os.O_RDONLY)
    try:
        assert _relay(agent, _cat, [descriptor, *ends.streams[1:]]) == 0
    finally:
        os.close(descriptor)
    if path == "file":
        assert ends.output() == b"text"


def _closed() -> int:
    descriptor = os.open("/dev/null", os.O_RDWR)
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 900)  # a number that nobody takes meanwhile
    os.close(descriptor)
    os.close(high)
    return high


def test_closed_input_is_an_end_of_file(agent: FakeAgent, ends: Ends) -> None:
    assert _relay(agent, _cat, [_closed(), *ends.streams[1:]]) == 0


def test_closed_output_ends_the_process(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"out")
        return 128 + process.wait_for_signal()

    assert _relay(agent, program, [ends.streams[0], _closed(), ends.streams[2]]) == 141


def test_a_reader_that_has_gone_ends_the_process_by_sigpipe(agent: FakeAgent, ends: Ends) -> None:
    def yes(process: FakeProcess) -> int:
        while not process.signals and not process.closed:
            process.say(b"y\n" * 1000)
        return 1

    ends.close_stdout()
    assert _relay(agent, yes, ends.streams) == 141
    agent.processes[0].join()
    assert agent.processes[0].signals[0] == signal.SIGPIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not possible here: no /dev/full")
def test_a_full_disk_below_the_output_is_an_error_with_a_reason(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"out")
        process.wait_for_signal()
        return 0

    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OutputError, match="cannot write the command's output: no space left on device"):
            _relay(agent, program, [ends.streams[0], full, ends.streams[2]])
    finally:
        os.close(full)
    agent.processes[0].join()
    assert agent.processes[0].signals[0] == signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_is_passed_on_and_the_handler_of_before_comes_back(
    agent: FakeAgent, ends: Ends, number: signal.Signals
) -> None:
    def program(process: FakeProcess) -> int:
        os.kill(os.getpid(), number)
        return 128 + process.wait_for_signal()

    before = signal.getsignal(number)
    assert _relay(agent, program, ends.streams) == 128 + number
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        return 128 + process.wait_for_signal()

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert _relay(agent, program, ends.streams) == 143
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

    assert _relay(agent, program, ends.streams) == 143


def test_whoever_asks_three_times_is_let_go(agent: FakeAgent, ends: Ends) -> None:
    def deaf(process: FakeProcess) -> int:
        for count in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGINT)
            process.wait_until(lambda count=count: len(process.signals) >= count)
        return 0

    assert _relay(agent, deaf, ends.streams) == 130
    agent.processes[0].join()
    assert agent.processes[0].signals[:3] == [signal.SIGINT, signal.SIGINT, signal.SIGHUP]


def test_outside_of_the_main_thread_there_are_no_signals_but_all_else(agent: FakeAgent, ends: Ends) -> None:
    ends.close_stdin()
    with _meanwhile(lambda: _relay(agent, _out, ends.streams)) as found:
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
    assert _relay(agent, program, tty.streams, terminal=True) == 0
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
        _relay(agent, program, tty.streams, terminal=True)
    assert termios.tcgetattr(tty.slave) == before


def test_the_size_is_told_again_when_it_changes(agent: FakeAgent, tty: Tty) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"ready")
        assert os.read(tty.master, 5) == b"ready"
        termios.tcsetwinsize(tty.slave, (50, 132))
        os.kill(os.getpid(), signal.SIGWINCH)
        process.wait_until(lambda: process.sizes[-1] == (50, 132))
        return 0

    assert _relay(agent, program, tty.streams, terminal=True) == 0
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
    assert _relay(agent, program, tty.streams, terminal=True) == 0
    assert os.read(tty.master, 10) == b"\x03"


def test_a_terminal_that_has_gone_hangs_the_process_up(agent: FakeAgent, tty: Tty) -> None:
    def program(process: FakeProcess) -> int:
        os.close(tty.master)
        process.say(b"anybody there?")
        return 128 + process.wait_for_signal()

    assert _relay(agent, program, tty.streams, terminal=True) == 128 + signal.SIGHUP
    agent.processes[0].join()
    assert agent.processes[0].signals[0] == signal.SIGHUP


def test_what_cannot_be_started_says_why_and_has_read_nothing(agent: FakeAgent, ends: Ends) -> None:
    def refuse(message: wire.ExecMessage) -> None:
        raise StartError(errno.ENOENT, wire.STAGE_EXEC, "exec x\x1b")

    agent.refuse = refuse
    os.write(ends.stdin, b"for somebody else")
    with pytest.raises(StartError, match=r"exec x\\x1b: No such file or directory") as caught:
        _relay(agent, _true, ends.streams)
    assert (caught.value.errno, caught.value.stage) == (errno.ENOENT, wire.STAGE_EXEC)
    assert os.read(ends.streams[0], 100) == b"for somebody else"


def test_another_identity_or_version_starts_and_reads_nothing(agent: FakeAgent, ends: Ends) -> None:
    os.write(ends.stdin, b"for somebody else")
    agent.identity = "other"
    with pytest.raises(OtherAgent, match="another environment"):
        _relay(agent, _true, ends.streams)
    agent.identity, agent.version = "it", 999
    with pytest.raises(OtherAgent, match="version 999"):
        _relay(agent, _true, ends.streams)
    assert not agent.processes
    assert os.read(ends.streams[0], 100) == b"for somebody else"


def test_no_agent_at_all(tmp_path: Path) -> None:
    with pytest.raises(NoAgent, match="no such file"):
        dial(str(tmp_path / "agent.sock"))


def test_what_is_detached_is_left_at_once(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.wait_for_signal()
        return 0

    assert _relay(agent, program, ends.streams, flags=wire.FLAG_DETACH) == 0
    assert [session.detached for session in agent.sessions] == [True]


def test_without_input_none_is_read(agent: FakeAgent, ends: Ends) -> None:
    os.write(ends.stdin, b"mine")
    assert _relay(agent, _out, ends.streams, flags=0) == 0
    assert os.read(ends.streams[0], 100) == b"mine"


def test_outcomes_of_a_hook(agent: FakeAgent, ends: Ends) -> None:
    agent.on_exec = lambda message, stdin: Outcome(exit_code=3, stdout=stdin.upper(), stderr=b"e")
    os.write(ends.stdin, b"text")
    ends.close_stdin()
    agent.program = None
    request = wire.ExecMessage(["x"])
    streams = dict(zip(("stdin", "stdout", "stderr"), ends.streams, strict=True))
    assert relay(dial(agent.path), identity="", request=request, terminal=False, **streams) == 3
    assert (ends.output(), ends.output(ends.stderr)) == (b"TEXT", b"e")


def _raw_agent(path: Path, answer: bytes) -> threading.Thread:
    """Answer the first bytes of one client with `answer`."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def run() -> None:
        with server, server.accept()[0] as connection:
            connection.recv(65536)
            with contextlib.suppress(ConnectionError):  # whoever does not like it has gone
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (b"\xff" * 12, "does not keep to its protocol"),
        (wire.frame(wire.STDOUT, 1, b"x") * 2, "ended"),
        (wire.frame(wire.STDOUT, 2, b"x"), "channel 2"),
        (wire.frame(wire.EXIT, 1, b"\xff" * 8), "EXIT with code"),
        (wire.frame(wire.STDOUT, 1, b"x" * 65536) * 17, "more output than was asked for"),
        (wire.frame(wire.ERROR, 0, b"\x04\0\0\0bad\x1b"), r"bad\\x1b"),
        (b"", "ended"),
    ],
)
def test_an_agent_that_misbehaves_is_an_error(tmp_path: Path, ends: Ends, after: bytes, text: str) -> None:
    thread = _raw_agent(tmp_path / "agent.sock", says.hello("it") + says.started(1) + after)
    streams = dict(zip(("stdin", "stdout", "stderr"), ends.streams, strict=True))
    try:
        with pytest.raises(AgentLost, match=text):
            relay(
                dial(str(tmp_path / "agent.sock")),
                identity="it",
                request=wire.ExecMessage(["x"]),
                terminal=False,
                **streams,
            )
    finally:
        thread.join(10)


_GENEROUS = says.hello("it") + says.started(1) + wire.window(1, 1 << 30)


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
                status = relay(dial(str(path)), identity="it", request=request, terminal=False, **streams)
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
