"""The relay between pipes of this process and a process that is a Python function."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import Greeting, dial
from devbox.agent.relay import relay
from tests.fakes.agent import FakeAgent
from tests.fakes.agent_process import FakeProcess, Program


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


def relayed(
    agent: FakeAgent, program: Program, streams: list[int], *, terminal: bool = False, flags: int = wire.FLAG_STDIN
) -> int:
    agent.program = program
    request = wire.ExecMessage(["x"], flags=flags | wire.FLAG_TERMINAL * terminal)
    stdin, stdout, stderr = streams
    return relay(
        Greeting(dial(agent.path), "it"),
        request=request,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        terminal=terminal,
    )


def true(process: FakeProcess) -> int:
    return 0


def out(process: FakeProcess) -> int:
    process.say(b"out")
    return 0


@contextlib.contextmanager
def meanwhile(*jobs: Callable[[], object]) -> Iterator[list[object]]:
    found: list[object] = []
    threads = [threading.Thread(target=lambda job=job: found.append(job())) for job in jobs]
    for thread in threads:
        thread.start()
    yield found
    for thread in threads:
        thread.join(30)
