"""The agent in an environment of the real engine: who it serves, what ends with whom, and how it is replaced."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.engine.base import Engine
from devbox.values import LABEL_WORKSPACE
from tests.integration.workspace.conftest import write
from tests.support.account import invoker
from tests.support.bare import BARE, PROGRAM, bare_image
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.waiting import until

pytestmark = pytest.mark.docker


def _socket(devbox: Devbox) -> Path:
    return devbox.home / ".local/state/devbox/s" / devbox.hash / "agent/agent.sock"


def _id(engine: Engine, devbox: Devbox) -> str:
    (found,) = engine.containers({LABEL_WORKSPACE: devbox.hash})
    return found.id


@pytest.fixture
def up(devbox: Devbox) -> Devbox:
    write(devbox)
    devbox("up")
    return devbox


def test_a_client_that_is_killed_takes_its_processes_along(up: Devbox) -> None:
    running = up.start("exec", "--", "sh", "-c", "echo ready; sleep 600; true")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    assert [one["command"][0] for one in up.json("status")["sessions"]] == ["sh"]
    running.kill()
    running.communicate()
    until(lambda: "sleep 600" not in up("exec", "--", "ps").stdout)
    assert up.json("status")["state"] == "running"


def test_what_is_detached_outlives_its_client_is_listed_and_ends_with_halt(up: Devbox) -> None:
    up("exec", "-d", "--", "sleep", "600")
    (session,) = up.json("status")["sessions"]
    assert (session["command"], session["detached"], session["terminal"]) == (["sleep", "600"], True, False)
    assert session["user"] == up.account.uid
    assert f"session  {session['pid']}" in up("status").stdout
    up("halt")
    assert up.json("status")["sessions"] == []
    up("up")
    assert "sleep 600" not in up("exec", "--", "ps").stdout


def test_what_a_process_is_called_cannot_write_on_the_terminal(up: Devbox) -> None:
    up("exec", "-d", "--", "sh", "-c", "sleep 600; true", "\x1b]0;evil\x07")
    shown = up("status").stdout
    assert "\x1b" not in shown
    assert "\\x1b" in shown


def test_an_environment_that_is_killed_in_the_middle_is_one_clear_error(docker_engine: Engine, up: Devbox) -> None:
    running = up.start("exec", "--", "sh", "-c", "echo ready; sleep 600; true")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    subprocess.run(["docker", "kill", _id(docker_engine, up)], check=True, capture_output=True)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 125
    assert stderr.startswith("error[agent-error]")
    assert "Traceback" not in stderr
    up("up")
    up("exec", "--", "true")


def test_what_was_restarted_by_hand_works_on(docker_engine: Engine, up: Devbox) -> None:
    container = _id(docker_engine, up)
    subprocess.run(["docker", "restart", "--time", "5", container], check=True, capture_output=True)
    until(lambda: up("exec", "--", "true", status=None).returncode == 0)
    assert up.json("up")["changed"] is False
    assert _id(docker_engine, up) == container


@pytest.mark.parametrize("words", [("kill", "-9", "1"), ("kill", "-STOP", "1")])
def test_the_agent_cannot_be_killed_from_inside(up: Devbox, words: tuple[str, ...]) -> None:
    up("exec", "-u", "root", "--", *words, status=None)
    assert up("exec", "--", "echo", "there").stdout == "there\n"


def test_a_socket_that_is_gone_is_repaired_by_up_and_keeps_the_container(docker_engine: Engine, up: Devbox) -> None:
    container = _id(docker_engine, up)
    _socket(up).unlink()
    failed = up("exec", "--", "true", status=125)
    assert failed.stderr.startswith("error[agent-error]")
    assert "hint: run: devbox up" in failed.stderr
    assert up("status", status=0).stdout.count("does not answer") <= 1
    assert up.json("up")["changed"] is True
    assert _id(docker_engine, up) == container
    up("exec", "--", "true")


@contextlib.contextmanager
def _other_version(path: Path) -> Iterator[None]:
    """Be an agent of version 999 at `path`."""
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))
        listener.listen()
        thread = threading.Thread(target=_refuse, args=(listener,))
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _refuse(listener: socket.socket) -> None:
    hello = wire.frame(wire.HELLO, 0, wire.MAGIC + (999).to_bytes(2, "little") + b"\0\0" + b"of the future")
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(hello)


@pytest.mark.parametrize("words", [("up",), ("shell", "--", "true")])
def test_an_agent_of_another_version_leads_to_a_clean_recreate(
    docker_engine: Engine, up: Devbox, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    before = _id(docker_engine, up)
    monkeypatch.chdir(_socket(up).parent)
    with _other_version(_socket(up)):
        assert "devbox up" in up("exec", "--", "true", status=125).stderr
        done = up(*words)
    assert "speaks another version" in done.stdout + done.stderr
    assert _id(docker_engine, up) != before
    up("exec", "--", "true")


def test_a_directory_that_is_gone_and_a_user_that_is_not_there(up: Devbox) -> None:
    assert "the working directory /nope does not exist" in up("exec", "-w", "/nope", "--", "true", status=126).stderr
    assert "there is no user 'nobody-here' inside" in up("exec", "-u", "nobody-here", "--", "true", status=126).stderr
    assert "/etc/passwd cannot be run" in up("exec", "--", "/etc/passwd", status=126).stderr
    assert "no-such: not found" in up("exec", "--", "no-such", status=127).stderr


def test_another_user_gets_home_and_groups_of_that_user(up: Devbox) -> None:
    said = up("exec", "-u", "nobody", "--", "sh", "-c", "id -u; echo $HOME $USER; umask").stdout.split()
    assert said == ["65534", "/", "nobody", "0022"]


@pytest.fixture
def bare(docker_engine: Engine) -> Iterator[Devbox]:
    """A project on an image that holds the application's own files alone."""
    bare_image(docker_engine)
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(f'network.ca_bundle = "none"\n[base]\nimage = "{BARE}"\n')
        yield found


def test_an_image_without_a_shell_is_an_environment(bare: Devbox) -> None:
    bare("up")
    (bare.directory / "file").write_text("mine\n")
    assert bare("exec", "--", PROGRAM, "cat", "file").stdout == "mine\n"
    assert bare("exec", "-d", "--", PROGRAM, "sleep", "600").returncode == 0
    assert len(bare.json("status")["sessions"]) == 1
    entered = bare("shell", status=1)
    assert "has no /bin/sh" in entered.stderr
    assert "devbox exec -- PROGRAM" in entered.stderr
    assert bare("shell", "--", "ls", status=125).stderr.startswith("error[base-unusable]")
    assert bare.json("up")["changed"] is False
    bare("halt")


def test_a_signal_reaches_the_process_in_it(bare: Devbox) -> None:
    bare("up")
    running = bare.start("exec", "--", PROGRAM, "sh", "-c", "echo ready; exec /busybox sleep 600")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    assert running.returncode == 143
