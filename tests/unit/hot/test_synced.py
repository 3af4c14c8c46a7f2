"""The hot path where the project is a copy: both sides are equal before a process starts, and after it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devbox import paths
from devbox.agent import client, wire
from devbox.hot import inputs
from devbox.supervisor.probe import FLUSH, FLUSH_INWARD, FLUSH_TOLD, TOLD_END
from tests.fakes.agent_process import FakeProcess
from tests.support.stand import Stand, standing


@pytest.fixture
def stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Stand]:
    with standing(tmp_path, capfdbinary) as stand:
        monkeypatch.chdir(stand.directory)
        stand.entry["sync"] = "1"
        stand.write()
        yield stand


@contextmanager
def supervisor(stand: Stand, *answers: bytes, once: threading.Event | None = None) -> Iterator[list[bytes]]:
    """Answer one connection after another, the first `once` something has happened, and then nobody.

    Yields what was asked.
    """
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        place = Path(paths.supervisor_socket(inputs.short_hash(str(stand.directory))))
        place.unlink(missing_ok=True)
        listener.bind(str(place))
        listener.listen()

        def answer() -> None:
            for words in answers:
                asking, _ = listener.accept()
                with asking:
                    asked.append(asking.recv(1000))
                    if once and not once.wait(10):
                        asked.append(b"it has not happened")
                    asking.sendall(words)
            listener.close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield asked
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_an_agent_is_greeted_while_a_sync_keeps_the_command_waiting(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs up on those who say nothing for 10 s, and a sync may take a minute."""
    greeted, answer = threading.Event(), client.Greeting.answer

    def answered(greeting: client.Greeting) -> wire.Hello:
        found = answer(greeting)
        greeted.set()
        return found

    monkeypatch.setattr(client.Greeting, "answer", answered)
    with supervisor(stand, b"ok\n", b"ok\n", once=greeted) as asked:
        assert stand("exec", "--", "true") == 0
    assert asked == [FLUSH_INWARD, FLUSH]


def test_before_it_what_is_here_goes_in_and_after_it_both_are_equal(stand: Stand) -> None:
    with supervisor(stand, b"ok\n", b"ok\n") as asked:
        assert stand("exec", "--", "true") == 0
    assert asked == [FLUSH_INWARD, FLUSH]
    assert stand.capture.readouterr() == (b"", b"")


def test_what_is_known_of_the_guest_by_then_is_said(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProcess, "told", b"12345678")
    with supervisor(stand, b"ok\n", b"ok\n") as asked:
        assert stand("exec", "--", "true") == 0
    assert asked == [FLUSH_INWARD, FLUSH_TOLD + b"3132333435363738" + TOLD_END]


def test_what_is_in_the_way_is_said_once_in_one_line(stand: Stand) -> None:
    with supervisor(stand, b"ok sync is paused; x\n", b"ok sync is paused; x\n"):
        assert stand("exec", "--", "true") == 0
    assert stand.capture.readouterr().err == b"warning: sync is paused; x\n"
    with supervisor(stand, b"ok\n", b"ok a conflict\n"):
        assert stand("exec", "--", "true") == 0
    assert stand.capture.readouterr().err == b"warning: a conflict\n"
    with supervisor(stand, b"ok one\n", b"ok two\n"):
        assert stand("-q", "exec", "--", "true") == 0
    assert stand.capture.readouterr().err == b""


@pytest.mark.parametrize("words", [b"no\n", b""])
def test_one_that_goes_away_meanwhile_is_said_and_costs_the_command_nothing(stand: Stand, words: bytes) -> None:
    with supervisor(stand, b"ok\n", words):
        assert stand("exec", "--", "true") == 0
    assert stand.capture.readouterr().err == b"warning: sync does not answer any more; devbox sync status\n"


@pytest.mark.parametrize("words", [b"no\n", b"", b"{}\n"])
def test_a_supervisor_that_syncs_nothing_leaves_it_to_the_whole_command_line(stand: Stand, words: bytes) -> None:
    with supervisor(stand, words):
        assert stand("exec", "--", "true") is None
    assert stand.seen == []


def test_so_does_one_that_is_not_there(stand: Stand) -> None:
    assert stand("exec", "--", "true") is None
    assert stand("status") is None
    assert stand.seen == []


def test_what_goes_on_by_itself_is_not_waited_for(stand: Stand) -> None:
    with supervisor(stand, b"ok\n") as asked:
        assert stand("exec", "-d", "--", "true") == 0
    assert asked == [FLUSH_INWARD]
