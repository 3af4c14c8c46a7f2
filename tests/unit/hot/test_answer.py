"""The hot path before an agent that is Python: what it answers, and all that makes it leave the answer to others."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.agent import client
from devbox.agent.client import StartError
from devbox.agent.protocol import GuestSession
from devbox.agent.wire import FLAG_DETACH, ExecMessage
from tests.fakes import agent_messages as says
from tests.fakes.agent import FakeAgent
from tests.fakes.engine_streams import Outcome
from tests.support.stand import IDENTITY, Stand, standing


@pytest.fixture
def stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Stand]:
    with standing(tmp_path, capfdbinary) as stand:
        monkeypatch.chdir(stand.directory)
        yield stand


def test_exec_is_passed_on_and_so_is_how_it_ends(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "one")
    monkeypatch.setenv("TERM", "xterm")
    stand.outcome = Outcome(stdout=b"out\n", stderr=b"err\n", exit_code=7)
    assert stand("exec", "-e", "A=1", "-e", "TZ=UTC", "--", "make", "-j2") == 7
    assert stand.capture.readouterr() == (b"out\n", b"err\n")
    (message,) = stand.seen
    assert (message.argv, message.user, message.cwd) == (("make", "-j2"), "1000:1000", "/workspaces/a project")
    assert message.flags == 0, "pytest's own stdin is /dev/null"
    env = ["HOME=/home/dev", "USER=dev", "LOGNAME=dev", "TZ=UTC", "AWS_PROFILE=one", "A=1"]
    assert list(message.env) == env  # and no TERM: there is no terminal


def test_another_user_and_place_and_the_background(stand: Stand) -> None:
    assert stand("exec", "-d", "-u", "root", "-w", "/tmp", "--", "true") == 0
    (message,) = stand.seen
    assert (message.user, message.cwd, message.flags) == ("root", "/tmp", FLAG_DETACH)
    assert list(message.env) == ["TZ=Europe/Paris"]  # the agent knows the home of root


def test_the_callers_directory_is_the_one_inside(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    (stand.directory / "src").mkdir()
    monkeypatch.chdir(stand.directory / "src")
    stand("exec", "true")
    monkeypatch.chdir("/")
    stand("-C", str(stand.directory), "exec", "true")
    stand.entry["workdir"] = "/srv"
    stand("-C", str(stand.directory / "src"), "exec", "true")
    assert [message.cwd for message in stand.seen] == ["/workspaces/a project/src", "/workspaces/a project", "/srv"]


def test_shell_goes_through_the_login_shell(stand: Stand) -> None:
    assert stand("shell") == 0
    assert stand("ssh", "--", "make") == 0
    assert [message.argv for message in stand.seen] == [
        ("/bin/sh", "-c", "line 1\nline 2", "devbox", "bash"),
        ("/bin/sh", "-c", "do", "devbox", "bash", "make"),
    ]


def test_up_has_nothing_to_do(stand: Stand) -> None:
    assert stand("up") == 0
    assert stand.stdout == "nothing to do\n"
    assert stand("up", "--json") == 0
    assert '"changed": false' in stand.stdout
    assert not stand.seen


def test_status_shows_what_runs_inside(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    session = GuestSession(pid=7, uid=0, started=0, terminal=True, detached=False, argv=("vi", "a b"))
    monkeypatch.setattr(FakeAgent, "sessions", [session])
    assert stand("status") == 0
    shown = stand.capture.readouterr()
    assert "state      running" in shown.out.decode()
    assert "  session  7  vi a b  on a terminal\n" in shown.out.decode()
    assert shown.err == b"next: devbox shell\n"
    assert stand("-q", "status") == 0
    assert stand.capture.readouterr().err == b""


def test_a_reader_that_has_gone_is_141(stand: Stand) -> None:
    read, write = os.pipe()
    os.close(read)
    saved = os.dup(1)
    os.dup2(write, 1)
    try:
        assert stand("up") == 141
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(write)


def test_a_result_that_cannot_be_written_is_left_to_those_who_can_say_so(stand: Stand) -> None:
    saved = os.dup(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    try:
        assert stand("status") is None
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(full)


@pytest.mark.parametrize("words", ["exec true", "shell", "up", "status"])
def test_nobody_there_or_another_one_is_left_to_others(stand: Stand, words: str) -> None:
    stand.entry["spec"] = "6" * 64
    assert stand(*words.split()) is None
    stand.entry["spec"] = IDENTITY
    stand.entry["socket"] = "/nope"
    assert stand(*words.split()) is None
    assert not stand.seen


@pytest.mark.parametrize("words", ["shell", "up", "status"])
def test_an_agent_that_was_started_again_is_not_the_one_that_up_spoke_to(stand: Stand, words: str) -> None:
    stand.entry["boot"] = "0" * 32
    assert stand(*words.split()) is None
    assert stand("exec", "true") == 0


def test_a_process_that_cannot_be_started_is_left_to_those_who_have_the_words(stand: Stand) -> None:
    def refuse(message: ExecMessage) -> None:
        raise StartError(2, 3, "exec")

    stand.agent.refuse = refuse
    assert stand("exec", "no-such") is None


def test_a_changed_file_of_the_profile_concerns_all(stand: Stand) -> None:
    (stand.directory / "devbox.local.toml").write_text("")
    for words in ("exec true", "shell", "up", "status"):
        assert "the profile" in stand.why_not(*words.split())


def test_a_changed_input_of_the_build_concerns_those_who_build(stand: Stand) -> None:
    (stand.directory / "requirements.txt").write_text("")
    assert "manifest" in stand.why_not("up")
    assert "manifest" in stand.why_not("shell")
    assert stand.why_not("exec", "true") == stand.why_not("status") == ""


def test_a_plan_that_does_not_suffice_concerns_those_who_build(stand: Stand) -> None:
    stand.entry["plan"] = ""
    assert stand.why_not("up")
    assert stand.why_not("shell")
    assert stand.why_not("exec", "true") == stand.why_not("status") == ""


@pytest.mark.parametrize(
    ("field", "value"), [("boot", ""), ("project", "/elsewhere"), ("around", "0"), ("title", "\x1b[2J")]
)
def test_whatever_else_the_record_has_to_say(stand: Stand, field: str, value: str) -> None:
    stand.entry[field] = value
    assert stand.why_not("exec", "true")


def test_whoever_asks_for_the_whole_command_line_gets_it(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stand.why_not("up") == ""
    assert stand.why_not("up", "-v")
    monkeypatch.setenv("DEVBOX_NO_HOT", "1")
    assert "DEVBOX_NO_HOT" in stand.why_not("up")
    monkeypatch.delenv("DEVBOX_NO_HOT")
    monkeypatch.setenv("DEVBOX_IMAGE", "debian:13")
    assert stand.why_not("up")


def test_without_a_record_or_a_project_there_is_nothing_to_go_by(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stand.why_not("-C", "nope", "up")
    (stand.directory / "sub").mkdir()
    assert stand.why_not("-C", "sub", "up") == ""
    (stand.directory / "sub" / "devbox.toml").write_text("")
    assert "not made anything" in stand.why_not("-C", "sub", "up")
    stand.entry = {}
    assert stand.why_not("up")


def test_an_answer_that_drips_is_waited_for_as_long_as_one_that_does_not_come(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte within the patience, and all of them never: root inside can put such an agent there."""
    monkeypatch.setattr(client, "PATIENCE", 0.5)
    stand.entry["socket"] = str(tmp_path / "other.sock")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(stand.entry["socket"])
        door.listen()
        over = threading.Event()
        thread = threading.Thread(target=_drip, args=(door, stand.agent.boot, over))
        thread.start()
        began = time.monotonic()
        status = stand("status")
        over.set()
        thread.join()
    assert status is None
    assert time.monotonic() - began < 2


def _drip(door: socket.socket, boot: bytes, over: threading.Event) -> None:
    connection, _ = door.accept()
    answer = says.sessions(1, [GuestSession(pid=1, uid=0, started=0, terminal=False, detached=False, argv=("x",) * 16)])
    with connection, contextlib.suppress(OSError):
        connection.sendall(says.hello(IDENTITY, boot=boot))
        for byte in answer:
            connection.sendall(bytes([byte]))
            if over.wait(0.1):
                return
