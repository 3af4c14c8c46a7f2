"""`shell`, `exec`, `up` and `status` of a running, unchanged environment: one suite over the hot and the cold path."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pexpect
import pytest

from devbox.engine.base import Engine
from tests.support.command import Devbox
from tests.support.paths import COLD, HOT, OnePath, Traveller, settled

pytestmark = pytest.mark.docker
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def project(docker_engine: Engine) -> Iterator[Devbox]:
    with settled(docker_engine, '[env]\nWORD = "of the profile"\n') as devbox:
        yield devbox


@pytest.fixture(params=[HOT, COLD], ids=lambda path: path.name)
def devbox(request: pytest.FixtureRequest, project: Devbox) -> Traveller:
    path: OnePath = request.param
    return Traveller(devbox=project, path=path)


def both(project: Devbox, *words: str) -> list[tuple[int, bytes, bytes]]:
    """Return how one command line ends on either path."""
    found = []
    for path in (HOT, COLD):
        done = Traveller(devbox=project, path=path)(*words)
        found.append((done.returncode, done.stdout, done.stderr))
    return found


@pytest.mark.parametrize("verb", ["exec", "shell"])
def test_exit_codes_and_streams_are_passed_on(devbox: Traveller, verb: str) -> None:
    done = devbox(verb, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert devbox(verb, "--", "true").returncode == 0
    assert devbox(verb, "--", "sh", "-c", "kill -TERM $$").returncode == 143


@pytest.mark.parametrize("verb", ["exec", "shell"])
def test_one_who_is_killed_may_have_run_out_of_memory_which_the_whole_command_line_says(
    project: Devbox, verb: str
) -> None:
    assert project(verb, "--", "sh", "-c", "kill -9 $$", status=137).stderr == ""


def test_input_goes_in_and_comes_out_byte_by_byte(devbox: Traveller) -> None:
    data = os.urandom(3 * MIB)
    assert devbox("exec", "--", "cat", stdin=data).stdout == data
    assert devbox("exec", "--", "wc", "-c", stdin=b"").stdout == b"0\n"
    assert devbox("exec", "--", "head", "-c", "2", stdin=data).stdout == data[:2]


def test_much_output_arrives_whole(devbox: Traveller) -> None:
    done = devbox("exec", "--", "sh", "-c", "yes 0123456789abcde | head -c 67108864")
    whole = b"0123456789abcde\n" * (4 * MIB)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(whole).digest()


def test_user_place_and_variables(devbox: Traveller) -> None:
    script = 'id -u; pwd; echo "$A|$WORD|$HOME"'
    done = devbox("exec", "-u", "nobody", "-w", "/tmp", "-e", "A=b c", "--", "sh", "-c", script)
    assert done.stdout == b"65534\n/tmp\nb c|of the profile|/\n"
    assert devbox("exec", "-u", "7:8", "--", "id", "-g").stdout == b"8\n"


def test_the_callers_directory_is_the_one_inside(devbox: Traveller) -> None:
    below = devbox.devbox.directory / "sub dir"
    below.mkdir(exist_ok=True)
    assert devbox("exec", "--", "pwd", cwd=below).stdout == b"/workspaces/a project/sub dir\n"
    assert devbox("shell", "--", "pwd", cwd=below).stdout == b"/workspaces/a project/sub dir\n"
    assert devbox("-C", str(below), "exec", "pwd", cwd=below.parent.parent).stdout == b"/workspaces/a project\n"


def test_there_is_no_terminal_without_one_here(devbox: Traveller) -> None:
    done = devbox("exec", "--", "sh", "-c", "test -t 0 || test -t 1 || echo none; echo ${TERM-unset}")
    assert done.stdout == b"none\nunset\n"


def test_a_terminal_here_is_one_inside(devbox: Traveller) -> None:
    with devbox.terminal("exec", "--", "sh", "-c", "test -t 0 && test -t 1 && stty size; echo $TERM; exit 5") as child:
        child.expect("30 90\r\nxterm\r\n")
        child.expect(pexpect.EOF)
        child.wait()
    assert child.exitstatus == 5


def test_an_interactive_shell(devbox: Traveller) -> None:
    with devbox.terminal("shell") as child:
        child.expect("[#$] ")
        child.sendline("sh -c 'echo it is $WORD; exec /bin/sleep 1000'")
        child.expect("it is of the profile\r\n")
        child.sendintr()
        child.expect("[#$] ")
        child.setwinsize(41, 77)
        child.sendline("sleep 0.1; stty size; exit 9")
        child.expect("41 77")
        child.expect(pexpect.EOF)
        child.wait()
    assert child.exitstatus == 9


def shell_environment(devbox: Traveller) -> list[str]:
    with devbox.terminal("-q", "ssh") as child:
        child.expect("[#$] ")
        child.sendline("env | sort; echo E'N'D")
        child.expect("END\r\n")
        shown = child.before or ""
    return [line for line in shown.splitlines() if "=" in line]


def test_the_environment_of_a_process_is_the_same_on_both_paths(project: Devbox) -> None:
    for words in (["exec", "--", "env"], ["shell", "--", "env"], ["exec", "-u", "nobody", "--", "env"]):
        (_, hot, _), (_, cold, _) = both(project, *words)
        assert sorted(hot.splitlines()) == sorted(cold.splitlines())
    hot_shell, cold_shell = (shell_environment(Traveller(devbox=project, path=path)) for path in (HOT, COLD))
    assert hot_shell == cold_shell
    assert "TERM=xterm" in hot_shell


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_process(devbox: Traveller, number: signal.Signals) -> None:
    script = f"trap 'echo got it; exit 3' {number.value}; echo ready; while :; do sleep 0.05; done"
    with devbox.start("exec", "--", "sh", "-c", script, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.read() == b"got it\n"
    assert process.returncode == 3


def test_a_reader_that_has_gone_ends_the_process(devbox: Traveller) -> None:
    with devbox.start("exec", "--", "yes", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 141


def test_a_killed_client_takes_the_process_along(devbox: Traveller) -> None:
    mark = f"{time.time_ns() % 10**6}.{3 if devbox.path is HOT else 4}"
    with devbox.start("exec", "--", "sh", "-c", f"echo ready; exec sleep 99{mark}", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert mark in devbox.devbox("status").stdout
        process.kill()
    for _ in range(100):
        if mark not in devbox.devbox("status").stdout:
            return
        time.sleep(0.1)
    raise AssertionError("it goes on")


def test_a_detached_process_is_listed(devbox: Traveller) -> None:
    assert devbox("exec", "-d", "-u", "nobody", "--", "sleep", "100").returncode == 0
    try:
        (session,) = json.loads(devbox("status", "--json").stdout)["sessions"]
        assert session["command"] == ["sleep", "100"]
        assert (session["user"], session["detached"], session["terminal"]) == (65534, True, False)
        assert b"sleep 100" in devbox("status").stdout
    finally:
        devbox.devbox("exec", "-u", "root", "--", "killall", "sleep")
        while devbox.devbox.json("status")["sessions"]:
            time.sleep(0.05)


@pytest.mark.parametrize("words", ["up", "up --json", "status", "status --json", "-q status", "--json -q up"])
def test_what_is_shown_is_the_same_on_both_paths(project: Devbox, words: str) -> None:
    hot, cold = both(project, *words.split())
    assert hot == cold
    assert hot[0] == 0


def test_up_has_nothing_to_do(devbox: Traveller) -> None:
    assert devbox("up").stdout == b"nothing to do\n"
    assert json.loads(devbox("up", "--json").stdout)["changed"] is False


@pytest.mark.parametrize("words", ["up", "status"])
def test_colours_are_the_same_on_both_paths(project: Devbox, words: str) -> None:
    shown = []
    for path in (HOT, COLD):
        with Traveller(devbox=project, path=path).terminal(words) as child:
            child.expect(pexpect.EOF)
            shown.append(child.before)
    assert shown[0] == shown[1]
    assert ("\x1b[" in (shown[0] or "")) is (words == "status")
