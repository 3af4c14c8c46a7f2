"""What the relay carries: input, output, errors and their ends, whatever the streams are."""

import fcntl
import os
import signal
import socket
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import Greeting, dial
from devbox.agent.relay import OutputError, relay
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess
from tests.fakes.engine_streams import Outcome
from tests.fakes.programs import cat
from tests.unit.agent.conftest import Ends, meanwhile, out, relayed, true


def test_output_errors_and_exit_code_come_through_apart(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"out")
        process.say(b"err", 2)
        return 7

    status = relayed(agent, program, ends.streams)
    assert (status, ends.output(), ends.output(ends.stderr)) == (7, b"out", b"err")


def test_one_pipe_for_both_keeps_their_order(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        for number in range(100):
            process.say(b"%d " % number, 1 + number % 2)
        return 0

    assert relayed(agent, program, [ends.streams[0], ends.streams[1], ends.streams[1]]) == 0
    assert ends.output().split() == [b"%d" % number for number in range(100)]


def test_input_and_its_end_come_through(agent: FakeAgent, ends: Ends) -> None:
    os.write(ends.stdin, b"\x00\xff line\n")
    ends.close_stdin()
    assert relayed(agent, cat, ends.streams) == 0
    assert ends.output() == b"\x00\xff line\n"


def test_a_process_that_reads_nothing_is_not_waited_for(agent: FakeAgent, ends: Ends) -> None:
    assert relayed(agent, true, ends.streams) == 0


def test_nothing_as_input_is_nothing_inside_too(agent: FakeAgent, ends: Ends) -> None:
    with Path("/dev/null").open("rb") as nothing, Path("/dev/zero").open("rb") as zeros:
        assert relayed(agent, true, [nothing.fileno(), *ends.streams[1:]]) == 0
        assert relayed(agent, true, [zeros.fileno(), *ends.streams[1:]]) == 0
        assert relayed(agent, cat, [nothing.fileno(), *ends.streams[1:]], flags=wire.FLAG_SFTP | wire.FLAG_STDIN) == 0
    flags = [process.message.flags & wire.FLAG_STDIN for process in agent.processes]
    assert flags == [0, wire.FLAG_STDIN, wire.FLAG_STDIN]


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


def test_more_than_any_buffer_holds_goes_through_both_ways(agent: FakeAgent, ends: Ends) -> None:
    size = 8 * 1024 * 1024
    with meanwhile(lambda: _feed(ends, size), lambda: _drain(ends.stdout, size)) as found:
        assert relayed(agent, cat, ends.streams) == 0
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

    with meanwhile(reader) as found:
        assert relayed(agent, program, ends.streams) == 0
    assert found == [b"%d" % size]


def test_non_blocking_streams_of_the_caller_are_waited_for_and_left_as_they_are(agent: FakeAgent, ends: Ends) -> None:
    size = 1024 * 1024
    for descriptor in ends.streams:
        os.set_blocking(descriptor, False)
    with meanwhile(lambda: _feed(ends, size), lambda: _drain(ends.stdout, size)) as found:
        assert relayed(agent, cat, ends.streams) == 0
    assert size in found
    assert not any(os.get_blocking(descriptor) for descriptor in ends.streams)


def test_blocking_streams_of_the_caller_stay_so(agent: FakeAgent, ends: Ends) -> None:
    ends.close_stdin()
    assert relayed(agent, out, ends.streams) == 0
    assert all(os.get_blocking(descriptor) for descriptor in ends.streams)


def test_sockets_for_streams(agent: FakeAgent, ends: Ends) -> None:
    size = 1024 * 1024
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send, drain = (
            lambda: ours.sendall(b"x" * size) or ours.shutdown(socket.SHUT_WR),
            lambda: _drain(ours.fileno(), size),
        )
        with meanwhile(send, drain) as found:
            assert relayed(agent, cat, [theirs.fileno(), theirs.fileno(), ends.streams[2]]) == 0
        assert size in found
        assert theirs.getblocking()


@pytest.mark.parametrize("path", ["/dev/null", "/", "file"])
def test_input_that_is_no_pipe(agent: FakeAgent, ends: Ends, tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_bytes(b"text")
    descriptor = os.open(tmp_path / path, os.O_RDONLY)
    try:
        assert relayed(agent, cat, [descriptor, *ends.streams[1:]]) == 0
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
    assert relayed(agent, cat, [_closed(), *ends.streams[1:]]) == 0


def test_closed_output_ends_the_process(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.say(b"out")
        return 128 + process.wait_for_signal()

    assert relayed(agent, program, [ends.streams[0], _closed(), ends.streams[2]]) == 141


def test_a_reader_that_has_gone_ends_the_process_by_sigpipe(agent: FakeAgent, ends: Ends) -> None:
    def yes(process: FakeProcess) -> int:
        while not process.signals and not process.closed:
            process.say(b"y\n" * 1000)
        return 1

    ends.close_stdout()
    assert relayed(agent, yes, ends.streams) == 141
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
            relayed(agent, program, [ends.streams[0], full, ends.streams[2]])
    finally:
        os.close(full)
    agent.processes[0].join()
    assert agent.processes[0].signals[0] == signal.SIGPIPE


def test_without_input_none_is_read(agent: FakeAgent, ends: Ends) -> None:
    os.write(ends.stdin, b"mine")
    assert relayed(agent, out, ends.streams, flags=0) == 0
    assert os.read(ends.streams[0], 100) == b"mine"


def test_outcomes_of_a_hook(agent: FakeAgent, ends: Ends) -> None:
    agent.on_exec = lambda message, stdin: Outcome(exit_code=3, stdout=stdin.upper(), stderr=b"e")
    os.write(ends.stdin, b"text")
    ends.close_stdin()
    agent.program = None
    request = wire.ExecMessage(["x"])
    streams = dict(zip(("stdin", "stdout", "stderr"), ends.streams, strict=True))
    assert relay(Greeting(dial(agent.path), ""), request=request, terminal=False, **streams) == 3
    assert (ends.output(), ends.output(ends.stderr)) == (b"TEXT", b"e")
