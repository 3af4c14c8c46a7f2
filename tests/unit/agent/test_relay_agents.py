"""What the relay makes of agents: that start nothing, are not there, or do not keep to the protocol."""

import contextlib
import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import AgentLost, Greeting, NoAgent, OtherAgent, StartError, dial
from devbox.agent.relay import relay
from tests.fakes import agent_messages as says
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess
from tests.unit.agent.conftest import Ends, relayed, true


def test_what_cannot_be_started_says_why_and_has_read_nothing(agent: FakeAgent, ends: Ends) -> None:
    def refuse(message: wire.ExecMessage) -> None:
        raise StartError(errno.ENOENT, wire.STAGE_EXEC, "exec x\x1b")

    agent.refuse = refuse
    os.write(ends.stdin, b"for somebody else")
    with pytest.raises(StartError, match=r"exec x\\x1b: No such file or directory") as caught:
        relayed(agent, true, ends.streams)
    assert (caught.value.errno, caught.value.stage) == (errno.ENOENT, wire.STAGE_EXEC)
    assert os.read(ends.streams[0], 100) == b"for somebody else"


def test_another_identity_or_version_starts_and_reads_nothing(agent: FakeAgent, ends: Ends) -> None:
    os.write(ends.stdin, b"for somebody else")
    agent.identity = "other"
    with pytest.raises(OtherAgent, match="another environment"):
        relayed(agent, true, ends.streams)
    agent.identity, agent.version = "it", 999
    with pytest.raises(OtherAgent, match="version 999"):
        relayed(agent, true, ends.streams)
    assert not agent.processes
    assert os.read(ends.streams[0], 100) == b"for somebody else"


def test_no_agent_at_all(tmp_path: Path) -> None:
    with pytest.raises(NoAgent, match="no such file"):
        dial(str(tmp_path / "agent.sock"))


def test_what_is_detached_is_left_at_once(agent: FakeAgent, ends: Ends) -> None:
    def program(process: FakeProcess) -> int:
        process.wait_for_signal()
        return 0

    assert relayed(agent, program, ends.streams, flags=wire.FLAG_DETACH) == 0
    assert [session.detached for session in agent.sessions] == [True]


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


@pytest.mark.parametrize("late", [False, True])
def test_one_that_ends_between_its_answer_and_what_it_is_to_start_is_none(
    tmp_path: Path, ends: Ends, *, late: bool
) -> None:
    """So whoever asked looks what has become of the environment, in place of a connection that ended."""
    os.write(ends.stdin, b"for somebody else")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "agent.sock"))
        server.listen()
        greeting = Greeting(dial(str(tmp_path / "agent.sock")), "it")
        agent = server.accept()[0]
        agent.sendall(says.hello("it"))
        greeting.answer()
        agent.recv(65536)
        ending = threading.Timer(0.2 if late else 0, agent.close)
        ending.start()
        if not late:
            ending.join()
        with pytest.raises(NoAgent, match="has ended since it answered"):
            relay(greeting, request=wire.ExecMessage(["true"]), stdin=ends.streams[0], terminal=False)
        ending.join()
    assert os.read(ends.streams[0], 100) == b"for somebody else"


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
                Greeting(dial(str(tmp_path / "agent.sock")), "it"),
                request=wire.ExecMessage(["x"]),
                terminal=False,
                **streams,
            )
    finally:
        thread.join(10)
