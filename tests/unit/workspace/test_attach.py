"""`attach` over an engine in memory: what goes wrong is said in words. The relay itself: tests/unit/agent."""

import os
from pathlib import Path

import pytest

from devbox.agent.client import AgentLost
from devbox.agent.relay import OutputError
from devbox.errors import AgentError, CannotStartError, DevboxError
from devbox.runtimes.base import ExecSpec, Instance
from devbox.workspace import attach as module
from devbox.workspace.attach import Streams, attach
from devbox.workspace.find import running
from devbox.workspace.up import up
from tests.fakes.engine_streams import Outcome
from tests.support.desk import Desk

SPEC = ExecSpec(argv=("x",), user="0:0", workdir="/")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    desk = Desk(tmp_path / "shop").write()
    up(desk.host, desk.workspace)
    desk.engine.on_exec = lambda box, request, stdin: Outcome(stdout=b"out" + stdin, stderr=b"err", exit_code=7)
    return running(desk.host, desk.workspace)


def test_a_process_comes_through_with_its_streams_and_exit_code(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b" and in")
    with (
        (tmp_path / "in").open("rb") as stdin,
        (tmp_path / "out").open("wb") as out,
        (tmp_path / "err").open("wb") as err,
    ):
        streams = Streams(stdin=stdin.fileno(), stdout=out.fileno(), stderr=err.fileno())
        assert attach(instance, SPEC, streams=streams) == 7
    assert (tmp_path / "out").read_bytes() == b"out and in"
    assert (tmp_path / "err").read_bytes() == b"err"


@pytest.mark.parametrize(
    ("cause", "error", "said"),
    [
        (OutputError("cannot write the command's output: no space left on device"), DevboxError, "no space left"),
        (AgentLost("the connection to the environment ended"), AgentError, "ended in the middle"),
    ],
)
def test_what_the_relay_could_not_do_is_an_error_in_words(
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    cause: Exception,
    error: type[DevboxError],
    said: str,
) -> None:
    def fail(greeting: object, **_: object) -> int:
        greeting.transport.close()  # type: ignore[attr-defined]
        raise cause

    monkeypatch.setattr(module, "relay", fail)
    with pytest.raises(error, match=said):
        attach(instance, SPEC, streams=Streams())


def test_a_command_that_is_too_long_is_the_users_to_shorten(instance: Instance) -> None:
    with pytest.raises(DevboxError, match="longer than 1 MiB") as caught:
        attach(instance, ExecSpec(argv=("x" * (1 << 20),), user="0:0", workdir="/"), streams=Streams())
    assert caught.value.exit_status == 2
    assert not isinstance(caught.value, CannotStartError)


def test_pipes_are_no_terminal() -> None:
    reading, writing = os.pipe()
    try:
        assert not Streams(stdin=reading, stdout=writing).terminal
        assert Streams(stdin=reading, stdout=writing).size() == (24, 80)
    finally:
        os.close(reading)
        os.close(writing)
