"""How a machine of somebody else's is come into: the agent, else by ssh what brings it, else nobody."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox import paths
from devbox.process import Completed
from devbox.runtimes.vm import reach as module
from devbox.runtimes.vm.reach import Reach, Sshd, free_port, ssh_argv
from devbox.runtimes.vm.serial import attached
from devbox.vm.keyboard import keyboard
from devbox.vm.seed import FIND
from tests.fakes.processes import Call, FakeProcesses, completed

SSHD = Sshd(port=2222, users=("root", "dev"), alias="devbox-u")


class Clock:
    """The time, which goes on by a second each time that it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


def say(directory: Path, text: str) -> None:
    (directory / paths.MACHINE_CONSOLE).write_text(text, encoding="utf-8")


def turns(waiting: Reach, most: int = 200) -> int:
    """Return how often it was asked until the waiting was over."""
    return next(number for number in range(most + 1) if number == most or waiting.found())


def never() -> bool:
    return False


def test_an_agent_that_answers_ends_the_waiting_at_once(tmp_path: Path, clock: Clock) -> None:
    waiting = Reach(tmp_path, FakeProcesses("ssh"), lambda: True, SSHD)
    assert waiting.found()
    assert waiting.attached


def test_one_that_asks_for_a_login_and_then_falls_silent_is_left_to_a_person(tmp_path: Path, clock: Clock) -> None:
    say(tmp_path, "Debian 12\nvm login: ")
    waiting = Reach(tmp_path, FakeProcesses(), never, None)
    assert 15 < turns(waiting) < 60
    assert not waiting.attached


def test_one_that_says_nothing_of_a_login_is_waited_for(tmp_path: Path, clock: Clock) -> None:
    say(tmp_path, "starting\n")
    assert turns(Reach(tmp_path, FakeProcesses(), never, None)) == 200


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PAUSE", "_GRACE", "_AGAIN", "_RUNS"):
        monkeypatch.setattr(module, name, 0.001)


def test_ssh_brings_the_agent_as_root_or_as_one_that_may_become_it(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_greets", lambda port: port == 2222)
    processes = FakeProcesses("ssh")
    said: list[str] = []

    def run(call: Call) -> Completed:
        said.append(call.argv[-2].partition("@")[0])
        assert call.stdin == FIND
        if said[-1] == "dev":
            assert not waiting.found(), "it answers a moment later"
            assert waiting.found()
        return completed(status=255 if said[-1] == "root" else 0)

    processes.answer("ssh", with_=run)
    waiting = Reach(tmp_path, processes, lambda: said[-1:] == ["dev"] and bool(answers.pop()), None)
    answers = [True, False]
    waiting.by_ssh(SSHD)
    assert said == ["root", "dev"]
    assert waiting.attached


def test_an_sshd_that_lets_nobody_in_is_not_asked_for_ever(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_greets", lambda port: True)
    processes = FakeProcesses("ssh")
    processes.answer("ssh", with_=completed(status=255))
    Reach(tmp_path, processes, never, None).by_ssh(SSHD)
    assert len(processes.calls) == 4 * len(SSHD.users)


def test_where_no_sshd_greets_nobody_is_asked(tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = FakeProcesses("ssh")
    greeted: list[int] = []

    def greets(port: int) -> bool:
        greeted.append(port)
        return bool(len(greeted) == 5 and waiting.found())  # then the agent has come by itself

    monkeypatch.setattr(module, "_greets", greets)
    waiting = Reach(tmp_path, processes, lambda: True, None)
    waiting.by_ssh(SSHD)
    assert greeted == [2222] * 5
    assert processes.calls == []


def test_the_client_goes_by_nothing_of_the_users_and_keeps_the_machines_key() -> None:
    words = list(ssh_argv(Path("/state/vm/a b"), SSHD, "dev"))
    assert words[:3] == ["ssh", "-F", "none"]
    options = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "-o")
    assert options["UserKnownHostsFile"] == '"/state/vm/a b/known_hosts"'
    assert options["IdentitiesOnly"] == "yes"
    assert options["IdentityAgent"] == "none"
    assert options["ForwardAgent"] == "no"
    assert options["StrictHostKeyChecking"] == "accept-new"
    assert options["HostKeyAlias"] == "devbox-u"
    assert words[-2:] == ["dev@127.0.0.1", "sudo -n sh -s"]
    assert ssh_argv(Path("/x"), SSHD, "root")[-1] == "sh -s"


def test_a_port_that_nobody_has_is_found() -> None:
    assert 1024 < free_port() < 65536


@pytest.mark.parametrize("typed", [b"ls\n", b"ls\n\x1dnever"])
def test_what_is_typed_goes_to_the_machine_until_it_is_left(
    tmp_path: Path, typed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbox.runtimes.vm.serial._QUIET", 0.1)
    (tmp_path / paths.MACHINE_CONSOLE).write_bytes(b"login: ")
    reading, writing = os.pipe()
    shown_at, shows = os.pipe()
    os.write(writing, typed)
    os.close(writing)
    with keyboard(tmp_path) as keys:
        runs: Callable[[], bool] = lambda: True  # noqa: E731
        attached(tmp_path, runs=runs, stdin=reading, stdout=shows)
        assert os.read(keys, 100) == b"ls\n"
    assert os.read(shown_at, 100) == b"login: "
    for descriptor in (reading, shown_at, shows):
        os.close(descriptor)


def test_an_sshd_behind_what_tells_of_nobody_who_is_silent_is_found() -> None:
    """So passt is: the machine hears of a connection only when something is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def sshd() -> None:
            with server.accept()[0] as client:
                client.settimeout(5)
                if client.recv(100).startswith(b"SSH-2.0-"):
                    client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        answering = threading.Thread(target=sshd)
        answering.start()
        assert module._greets(port)
        answering.join()
    assert not module._greets(port), "nobody listens any more"
