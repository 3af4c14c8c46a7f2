"""Processes: codes, streams, signals, terminals, users, and who ends whom."""

import errno
import os
import signal
import threading
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import AgentLost, StartError
from devbox.agent.session import AgentSession, ask_sessions, start
from devbox.agent.wire import ExecMessage
from tests.contract.agent.conftest import Target, read_all
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.long]

MIB = 1024 * 1024


def ended(pid: int) -> bool:
    """Whether a process of this host has ended; one that waits to be reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def first_output(session: AgentSession) -> bytes:
    found = session.receive()
    assert found
    return found[1]


@pytest.mark.parametrize("code", [0, 1, 7, 126, 127, 255])
def test_the_exit_code_comes_through(target: Target, code: int) -> None:
    assert target.run("sh", "-c", f"exit {code}")[0] == code


def test_both_outputs_come_through_apart(target: Target) -> None:
    assert target.run("sh", "-c", "echo out; echo err >&2") == (0, b"out\n", b"err\n")


def test_input_and_its_end_come_through(target: Target) -> None:
    data = bytes(range(256)) * 10
    assert target.run("cat", stdin=data) == (0, data, b"")


@pytest.mark.parametrize("size", [1, wire.CREDIT, wire.CREDIT + 1, MIB // 8])
def test_what_is_given_with_the_question_is_all_that_there_is_to_read(target: Target, size: int) -> None:
    data = os.urandom(size)
    session = start(target.dial(), target.identity, ExecMessage(("cat",)), given=data)
    session.send(b"more")  # which it does not hear: it has been told the end
    assert read_all(session) == (0, data, b"")
    session.close()


def test_what_is_given_to_what_cannot_be_started_is_dropped(target: Target) -> None:
    with pytest.raises(StartError):
        start(target.dial(), target.identity, ExecMessage(("no-such-program",)), given=b"x" * 1000)


def test_without_input_there_is_an_end_of_file_at_once(target: Target) -> None:
    assert target.run("cat", flags=0) == (0, b"", b"")


def test_ten_mebibytes_go_both_ways_byte_for_byte(target: Target) -> None:
    data = b"".join(number.to_bytes(4, "little") for number in range(10 * MIB // 4))
    session = target.start("cat")
    feeder = threading.Thread(target=lambda: (session.send(data), session.close_stdin()))
    feeder.start()
    try:
        assert read_all(session) == (0, data, b"")
    finally:
        feeder.join()
        session.close()


def test_one_thread_alone_can_send_and_then_receive(target: Target) -> None:
    assert len(target.run("head", "-c", "100000", "/dev/zero", stdin=b"x" * 50_000)[1]) == 100_000


def test_signals_reach_the_process(target: Target) -> None:
    session = target.start("sleep", "1000")
    session.signal(signal.SIGTERM)
    assert session.exit_code() == 128 + signal.SIGTERM
    session.close()


def test_what_cannot_be_started_says_where_it_failed(target: Target) -> None:
    with pytest.raises(StartError) as no_program:
        target.start("no-such-program-here")
    assert (no_program.value.errno, no_program.value.stage) == (errno.ENOENT, wire.STAGE_EXEC)
    with pytest.raises(StartError) as no_directory:
        target.start("true", cwd="/nowhere/at/all")
    assert (no_directory.value.errno, no_directory.value.stage) == (errno.ENOENT, wire.STAGE_CWD)
    with pytest.raises(StartError) as no_user:
        target.start("true", user="nobody-of-this-name")
    assert no_user.value.stage == wire.STAGE_USER


def test_sessions_are_listed_while_they_run(target: Target) -> None:
    session = target.start("sleep", "1000")
    found = ask_sessions(target.dial(), target.identity)
    assert [(item.argv, item.terminal, item.detached) for item in found] == [(("sleep", "1000"), False, False)]
    assert found[0].pid == session.pid > 0
    session.signal(signal.SIGKILL)
    session.exit_code()
    session.close()
    until(lambda: not ask_sessions(target.dial(), target.identity))


def test_a_detached_process_outlives_its_client(target: Target) -> None:
    session = target.start("sleep", "1000", flags=wire.FLAG_DETACH)
    assert session.exit_code() == 0
    session.close()
    found = ask_sessions(target.dial(), target.identity)
    assert [(item.argv[0], item.detached) for item in found] == [("sleep", True)]


def test_a_session_whose_connection_breaks_is_lost(target: Target) -> None:
    session = target.start("cat")
    waiting = threading.Thread(target=lambda: results.append(session.receive()))
    results: list[object] = []
    waiting.start()
    session.close()
    waiting.join(30)
    assert results == [None]
    with pytest.raises(AgentLost):
        session.exit_code()


# What a Python function cannot stand in for.


def test_a_signal_that_ends_it_is_128_and_the_signal(real: Target) -> None:
    assert real.run("sh", "-c", "kill -9 $$")[0] == 137


def test_signals_reach_the_children_too(real: Target) -> None:
    session = real.start("sh", "-c", "sleep 1000 & echo $!; wait")
    child = int(first_output(session))
    session.signal(signal.SIGTERM)
    assert session.exit_code() == 128 + signal.SIGTERM
    until(lambda: ended(child))
    session.close()


def test_the_exit_comes_after_all_output_and_does_not_wait_for_who_was_left_behind(real: Target) -> None:
    session = real.start("sh", "-c", "sleep 1000 & head -c 300000 /dev/zero; echo $! >&2")
    code, out, err = read_all(session)
    assert (code, len(out)) == (0, 300_000)
    os.kill(int(err), signal.SIGKILL)
    session.close()


def test_a_client_that_vanishes_takes_its_processes_with_it(real: Target) -> None:
    session = real.start("sh", "-c", "sleep 1000 & echo $$ $!; wait")
    pids = [int(word) for word in first_output(session).split()]
    session.close()
    until(lambda: all(ended(pid) for pid in pids))


def test_what_ignores_all_that_is_killed(real: Target) -> None:
    session = real.start("sh", "-c", "trap '' HUP TERM; echo $$; while :; do sleep 1; done")
    pid = int(first_output(session))
    session.close()
    until(lambda: ended(pid))


def test_a_daemon_stays(real: Target) -> None:
    session = real.start("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!; exec sleep 1000")
    daemon = int(first_output(session))
    until(lambda: os.getsid(daemon) == daemon)
    session.close()
    until(lambda: not ask_sessions(real.dial(), real.identity))
    assert not ended(daemon)
    os.kill(daemon, signal.SIGKILL)


def test_a_client_that_does_not_read_does_not_make_the_agent_grow(real: Target) -> None:
    assert real.host
    sessions = [real.start("cat", "/dev/zero") for _ in range(20)]
    until(lambda: all(_is_blocked(session.pid) for session in sessions))
    assert real.host.memory() <= 2 * MIB
    for session in sessions:
        session.close()


def _is_blocked(pid: int) -> bool:
    return Path(f"/proc/{pid}/wchan").read_text() in ("pipe_write", "anon_pipe_write", "pipe_wait", "0")


def test_a_terminal_has_its_size_and_its_changes(real: Target) -> None:
    session = real.start(
        "sh",
        "-c",
        "stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.02; done",
        flags=wire.FLAG_TERMINAL | wire.FLAG_STDIN,
        size=(30, 90),
    )
    seen = b""
    while b"ready" not in seen:
        seen += first_output(session)
    assert seen.split() == [b"30", b"90", b"ready"]
    session.resize(41, 101)
    assert read_all(session) == (4, b"41 101\r\n", b"")
    session.close()


def test_a_key_is_a_signal_for_the_terminals_foreground(real: Target) -> None:
    session = real.start("sh", "-c", "echo ready; exec cat", flags=wire.FLAG_TERMINAL | wire.FLAG_STDIN)
    assert first_output(session) == b"ready\r\n"
    session.send(b"\x03")
    assert session.exit_code() == 128 + signal.SIGINT
    session.close()


def test_a_process_is_the_leader_of_a_session_with_a_terminal_of_its_own(real: Target) -> None:
    script = "ps -o pid=,sid=,pgid=,tpgid= -p $$"
    code, out, _ = real.run("sh", "-c", script, flags=wire.FLAG_TERMINAL | wire.FLAG_STDIN)
    pid, session, group, _foreground = (int(word) for word in out.split())
    assert (code, session, group) == (0, pid, pid)


def test_directory_and_variables(real: Target, tmp_path: Path) -> None:
    code, out, _ = real.run("sh", "-c", 'pwd; echo "$A $B"', cwd=str(tmp_path), env=("A=one two", "B=\N{SNOWMAN}"))
    assert (code, out.decode()) == (0, f"{tmp_path}\none two \N{SNOWMAN}\n")
    assert real.run("pwd")[1] == b"/\n"


def test_bytes_that_are_no_text_go_through_argv(real: Target) -> None:
    name = os.fsdecode(b"\xff\xfe")
    assert real.run("printf", "%s", name)[1] == b"\xff\xfe"


def test_a_long_command_line_and_one_that_is_too_long(real: Target) -> None:
    words = ["x" * 1000] * 900
    assert len(real.run("echo", *words)[1]) == 1001 * 900
    with pytest.raises(ValueError, match="longer than 1 MiB"):
        real.start("echo", *words, *words)


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can be another user")
@pytest.mark.parametrize(
    ("user", "expected"),
    [("", "0 0 0"), ("0:0", "0 0 0"), ("4242:4343", "4242 4343 4343"), ("4242", "4242 0 0"), ("nobody", None)],
)
def test_the_user_and_the_groups(real: Target, user: str, expected: str | None) -> None:
    code, out, _ = real.run("sh", "-c", "echo $(id -u) $(id -g) $(id -G)", user=user)
    said = out.decode().strip()
    assert code == 0
    if expected is None:
        assert said.split()[0] == "65534"
    elif user in ("", "0:0"):  # root's further groups are this host's
        assert said.split()[:2] == ["0", "0"]
    else:
        assert said == expected


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can be another user")
def test_an_ordinary_user_has_no_capability_and_gets_none(real: Target) -> None:
    _, out, _ = real.run("sh", "-c", "grep -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs' /proc/self/status", user="4242:4343")
    values = dict(line.split(":") for line in out.decode().splitlines())
    assert {name: int(value, 16) for name, value in values.items()} == {
        "CapInh": 0,
        "CapPrm": 0,
        "CapEff": 0,
        "CapAmb": 0,
        "NoNewPrivs": 1,
    }


def test_a_file_that_is_no_program(real: Target, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(StartError) as caught:
        real.start(str(tmp_path / "file"))
    assert (caught.value.errno, caught.value.stage) == (errno.EACCES, wire.STAGE_EXEC)


def test_no_descriptor_is_inherited_and_signals_are_as_new(real: Target) -> None:
    _, out, _ = real.run("sh", "-c", "ls /proc/self/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status")
    lines = out.decode().splitlines()
    assert lines[:-2] == ["0", "1", "2", "3"]  # 3 is ls's own
    assert [int(line.split()[1], 16) for line in lines[-2:]] == [0, 0]
