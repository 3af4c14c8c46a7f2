"""The agents that keep the protocol: the fake one, the real one on this host, and that one through `agent stream`.

What a fake process does is in `PROGRAMS`, by its argv: as much as the shared tests need of the real commands.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.agent import program, wire
from devbox.agent.client import StartError, dial
from devbox.agent.session import AgentSession, start
from devbox.agent.transport import EngineTransport, Transport
from devbox.agent.wire import ExecMessage
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess, Program
from tests.fakes.programs import cat, sh, sleep
from tests.support.agent import IDENTITY, HostAgent, host_agent
from tests.support.agent_stream import StreamProgram


@dataclass
class Target:
    """An agent, and how to get to it."""

    path: str
    dial: Callable[[], Transport]
    identity: str = IDENTITY
    host: HostAgent | None = None

    def start(self, *argv: str, **values: object) -> AgentSession:
        return start(self.dial(), IDENTITY, ExecMessage(argv, **values))  # type: ignore[arg-type]

    def run(self, *argv: str, stdin: bytes = b"", **values: object) -> tuple[int, bytes, bytes]:
        """Run a command to its end; return its exit code and what it wrote."""
        session = self.start(*argv, **values)
        try:
            session.send(stdin)
            session.close_stdin()
            return read_all(session)
        finally:
            session.close()


def read_all(session: AgentSession) -> tuple[int, bytes, bytes]:
    found = {1: bytearray(), 2: bytearray()}
    while frame := session.receive():
        found[frame[0]] += frame[1]
    return session.exit_code(), bytes(found[1]), bytes(found[2])


def _head(process: FakeProcess) -> int:
    left = int(process.message.argv[2])
    while left and not process.closed:
        piece = min(left, 1 << 20)
        process.say(bytes(piece))
        left -= piece
    return 0


PROGRAMS: Mapping[str, Program] = {
    "true": lambda process: 0,
    "cat": cat,
    "sh": lambda process: sh(process, process.message.argv[2]),
    "head": _head,
    "sleep": sleep,
}


def _refuse(message: ExecMessage) -> None:
    if message.argv and message.argv[0] not in PROGRAMS:
        raise StartError(2, wire.STAGE_EXEC, message.argv[0])
    if message.cwd.startswith("/nowhere"):
        raise StartError(2, wire.STAGE_CWD, message.cwd)
    if message.user == "nobody-of-this-name":
        raise StartError(22, wire.STAGE_USER, message.user)


def _fake(path: Path) -> FakeAgent:
    return FakeAgent(path, IDENTITY, program=lambda process: PROGRAMS[process.message.argv[0]](process), refuse=_refuse)


def _program() -> str:
    """Return the agent's program; another one, as with sanitizers in it, may be given by DEVBOX_TEST_AGENT."""
    return os.environ.get("DEVBOX_TEST_AGENT") or str(program.binary(os.uname().machine))


@pytest.fixture
def on_host() -> Iterator[Target]:
    with host_agent(argv=[_program()]) as agent:
        yield Target(agent.path, lambda: dial(agent.path), host=agent)


@pytest.fixture
def real(on_host: Target) -> Target:
    """The real agent: for what a Python function cannot do (users, files, terminals, process groups)."""
    return on_host


@pytest.fixture(params=["fake", "host", "stream"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "fake":
        with _fake(tmp_path / "agent.sock") as fake:
            yield Target(fake.path, lambda: dial(fake.path))
        return
    found: Target = request.getfixturevalue("on_host")
    if request.param == "stream":
        found.dial = lambda: EngineTransport(StreamProgram(_program(), found.path))
    yield found


@pytest.fixture(params=["fake", "host"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """An agent that is reached by its socket."""
    if request.param == "fake":
        with _fake(tmp_path / "agent.sock") as fake:
            yield Target(fake.path, lambda: dial(fake.path))
        return
    yield request.getfixturevalue("on_host")
