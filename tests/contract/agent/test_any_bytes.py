"""The real agent and clients that say anything at all: it goes on, and nothing of theirs stays."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from devbox.agent import wire
from devbox.agent.client import open_socket
from devbox.agent.session import ask_sessions
from devbox.agent.wire import ExecMessage, frame
from tests.contract.agent.conftest import Target
from tests.support.agent import IDENTITY, children, spares, zygotes

pytestmark = [pytest.mark.timeout(120), pytest.mark.long]

PATIENCE = 10.0  # seconds; only ever spent by what fails
WAITING = ("its socket", "stdout", "stderr", "what it reports")  # the agent's of a process that waits
MIB = 1024 * 1024
ANY = settings(
    max_examples=400,
    deadline=None,  # the machine may be busy
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one agent for all of them is what is tried
)
# Whoever is root starts things as nobody: what a changed EXEC may come to shall do no harm. `cat` ends with its input.
USER = "65534:65534" if os.getuid() == 0 else str(os.getuid())
FLAGS = st.sampled_from((0, wire.FLAG_STDIN, wire.FLAG_STDIN | wire.FLAG_TERMINAL, wire.FLAG_DETACH, wire.FLAG_SFTP))
CHANNEL = st.integers(1, 3)
FRAME = st.one_of(
    st.builds(
        lambda at, flags, window: wire.exec_(at, ExecMessage(("/bin/cat",), user=USER, flags=flags), window=window),
        *(CHANNEL, FLAGS, st.sampled_from((0, 1, 1000, wire.CREDIT_MAX))),
    ),
    st.builds(
        lambda at, port: wire.connect(at, wire.TCP, "localhost", port, window=10), CHANNEL, st.integers(1, 65535)
    ),
    st.builds(lambda at: wire.connect(at, wire.UNIX, "/nowhere/at/all", 0, window=10), CHANNEL),
    st.builds(lambda at, kind: wire.listen(at, kind, "127.0.0.1", 0, user=USER, window=10), CHANNEL, st.integers(1, 3)),
    st.builds(wire.window, CHANNEL, st.integers(0, 1 << 31)),
    st.builds(wire.resize, CHANNEL, st.integers(0, 65535), st.integers(0, 65535)),
    st.builds(wire.signal, CHANNEL, st.integers(1, 64)),
    st.builds(wire.stat, CHANNEL, st.sampled_from(("/", "/nowhere", ""))),
    st.builds(frame, st.just(wire.DATA), CHANNEL, st.binary(max_size=300) | st.just(bytes(65_536))),
    st.builds(frame, st.sampled_from((wire.EOF, wire.CLOSE, wire.LISTENERS, wire.SESSIONS)), CHANNEL),
)
EXTREME = st.sampled_from((0, 1, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x10001, 0x100001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a conversation that begins well, and change it in places."""
    said = bytearray(b"".join(draw(st.lists(FRAME, min_size=1, max_size=8))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(said)))
        match draw(st.sampled_from(("byte", "number", "gone", "twice"))):
            case "byte":
                said[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "number":
                said[at : at + 4] = draw(EXTREME).to_bytes(4, "little")
            case "gone":
                del said[at : at + draw(st.integers(1, 40))]
            case _:
                said[at:at] = said[at : at + draw(st.integers(1, 40))]
    return bytes(said)


def talk(path: str, said: bytes, *, waits: bool) -> None:
    """Say it; vanish at once, or be told to the end what the agent has to say to it, which must come."""
    with socket.socket(fileno=open_socket(path).detach()) as client:
        client.settimeout(PATIENCE)
        try:
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            while waits and client.recv(65_536):
                pass
        except (BrokenPipeError, ConnectionResetError):  # it has closed before all was said
            return


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.001)


def descriptors(pid: int) -> int:
    """Return how many it has, without those to the process that is to be the next, and to the one that forks it."""
    waiting = len(WAITING) * len(spares(pid)) + len(zygotes(pid))
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()) - waiting


def require_health(target: Target) -> None:
    """Make sure that the next client is served, and that nothing runs any more for those before."""
    assert target.host
    until(lambda: not ask_sessions(target.dial(), IDENTITY), "a process of a client that has gone still runs")


@ANY
@given(said=st.binary(max_size=400), waits=st.booleans())
def test_any_bytes_instead_of_hello(on_host: Target, said: bytes, waits: bool) -> None:
    talk(on_host.path, said, waits=waits)
    require_health(on_host)


@ANY
@given(said=st.binary(max_size=400) | damaged(), waits=st.booleans())
def test_any_bytes_and_damaged_frames_after_hello(on_host: Target, said: bytes, waits: bool) -> None:
    talk(on_host.path, wire.hello(IDENTITY) + said, waits=waits)
    require_health(on_host)


def vanish(target: Target, data: st.DataObject) -> int:
    """Be 40 clients that say something and go, until nothing of them runs; return the agent's pid."""
    assert target.host
    for _ in range(40):
        talk(target.path, wire.hello(IDENTITY) + data.draw(damaged()), waits=False)
    require_health(target)
    return target.host.pid


MANY = settings(ANY, max_examples=3, phases=[Phase.generate])  # a smaller one of so many says no more


@MANY
@given(data=st.data())
def test_who_vanishes_leaves_no_process_and_no_descriptor(on_host: Target, data: st.DataObject) -> None:
    assert on_host.host
    require_health(on_host)
    before = descriptors(on_host.host.pid)
    pid = vanish(on_host, data)
    until(lambda: not children(pid), "the agent has children left")
    until(lambda: descriptors(pid) <= before, "the agent has descriptors left")


@MANY
@given(data=st.data())
def test_who_vanishes_does_not_make_the_agent_grow(on_host: Target, data: st.DataObject) -> None:
    vanish(on_host, data)
    assert on_host.host
    assert on_host.host.memory() <= 2 * MIB
