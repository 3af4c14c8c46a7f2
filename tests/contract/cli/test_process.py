"""What only a process of its own shows: start-up, a reader that goes away, signals, completion in a real shell."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from devbox.values import short_hash
from tests.support.stand import standing
from tests.support.tree import ROOT

pytestmark = pytest.mark.long

COMMAND = (sys.executable, "-m", "devbox")
BASE = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DOCKER_HOST": "unix:///no/such.sock"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**BASE, "HOME": str(tmp_path)}


def imported(environ: dict[str, str], *words: str) -> set[str]:
    """Return the modules that one command line imports."""
    script = (
        "import sys; from devbox.cli.app import run; "
        f"run({list(words)!r}); print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines())


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (("--version",), {"docker", "pydantic", "rich", "requests", "tomlkit"}),
        (("--help",), {"docker", "pydantic", "rich", "requests", "tomlkit", "devbox.cli.verbs.up"}),
        (("hlat",), {"docker", "pydantic", "rich", "devbox.cli.verbs.up"}),
        (("up", "--help"), {"docker", "rich", "requests"}),
        (("completion", "bash"), {"docker", "pydantic", "rich"}),
        (("destroy",), {"docker", "pydantic", "rich"}),
        (("config",), {"docker", "rich"}),
        (("status",), {"rich"}),
    ],
)
def test_a_verb_imports_no_slow_library_that_it_does_not_need(
    environ: dict[str, str], words: tuple[str, ...], absent: set[str]
) -> None:
    assert not absent & imported(environ, *words)


def test_a_reader_that_goes_away_is_no_traceback(environ: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*COMMAND, "schema"], env=environ, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", ["schema", "--version"])  # more than Python's buffer, and less
def test_a_full_disk_below_the_output_is_one_plain_error(environ: dict[str, str], words: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, words], env=environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error[failure]: cannot write the result")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_traceback(environ: dict[str, str], closed: str) -> None:
    script = f'"$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "schema"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {}])
def test_any_locale_shows_any_name(environ: dict[str, str], tmp_path: Path, locale: dict[str, str]) -> None:
    project = tmp_path / "größe"
    project.mkdir()
    done = subprocess.run([*COMMAND, "init", "debian:12"], env={**environ, **locale}, cwd=project, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (project / "devbox.toml").is_file()


def test_a_directory_that_is_gone_is_a_usage_error(environ: dict[str, str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(gone), *COMMAND, "status"], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error[usage]: the current directory does not exist any more")
    (tmp_path / "devbox.toml").write_text('[base]\nimage = "debian:12"\n')
    named = subprocess.run(  # as its hint says
        ["sh", "-c", 'mkdir "$1"; ' + script, "sh", str(gone), *COMMAND, "-C", str(tmp_path), "config"],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert (named.returncode, named.stderr.partition("error")[1]) == (0, "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_with_its_own_status(environ: dict[str, str], number: signal.Signals, status: int) -> None:
    # An engine that accepts and never answers: the command hangs in its first request until the signal comes.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        child = subprocess.Popen(
            [*COMMAND, "list"], env={**environ, "DOCKER_HOST": address}, stderr=subprocess.PIPE, text=True
        )
        connection, _ = listener.accept()
        with connection:
            child.send_signal(number)
            _, stderr = child.communicate(timeout=60)
    assert child.returncode == status
    assert stderr.startswith("error[interrupted]")


FOLLOW = (*COMMAND, "logs", "--supervisor", "-f")


@pytest.fixture
def said(environ: dict[str, str], tmp_path: Path) -> Path:
    """A project whose Supervisor has said one line; its directory."""
    log = tmp_path / ".local" / "state" / "devbox" / "s" / short_hash(str(tmp_path.resolve())) / "supervisor.log"
    log.parent.mkdir(parents=True)
    log.write_text("it began\n")
    (tmp_path / "devbox.toml").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("number", "status", "expected"), [(signal.SIGINT, 130, ""), (signal.SIGTERM, 143, "error[interrupted]")]
)
def test_a_log_that_is_followed_ends_by_ctrl_c_without_a_word(
    environ: dict[str, str], said: Path, number: signal.Signals, status: int, expected: str
) -> None:
    with subprocess.Popen(
        FOLLOW, env=environ, cwd=said, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "it began\n"
        child.send_signal(number)
        rest, stderr = child.communicate(timeout=60)
    assert (child.returncode, rest, stderr.partition(":")[0]) == (status, "", expected)


def test_ctrl_c_at_a_terminal_ends_it_without_a_word_too(environ: dict[str, str], said: Path) -> None:
    terminal = {**environ, "TERM": "xterm", "LANG": "C.UTF-8"}
    child = pexpect.spawn(FOLLOW[0], list(FOLLOW[1:]), cwd=str(said), env=terminal, encoding="utf-8", timeout=60)
    try:
        child.expect_exact("it began\r\n")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.wait()
        assert (child.exitstatus, child.before) == (130, "^C")
    finally:
        child.close(force=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["devbox", "sta"], {"status"}),
        (["devbox", "destroy", "--fo"], {"--force"}),
        (["devbox", "completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes(environ: dict[str, str], tmp_path: Path, words: list[str], expected: set[str]) -> None:
    script = subprocess.run([*COMMAND, "completion", "bash"], env=environ, capture_output=True, text=True).stdout
    command = tmp_path / "devbox"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m devbox "$@"\n')
    command.chmod(0o755)
    line = " ".join(words)
    ask = (
        f"{script}\nCOMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; "
        f"COMP_LINE='{line}'; COMP_POINT={len(line)}; "
        '_devbox_completion devbox; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{environ['PATH']}"
    done = subprocess.run(["bash", "-c", ask], env={**environ, "PATH": path}, capture_output=True, text=True)
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completing_imports_no_slow_library(environ: dict[str, str], shell: str) -> None:
    asked = {"_DEVBOX_COMPLETE": f"{shell}_complete", "COMP_WORDS": "devbox st", "COMP_CWORD": "1"}
    assert not {"docker", "pydantic", "rich"} & imported({**environ, **asked})


def test_bytes_that_are_no_utf8_are_passed_on_as_they_are(environ: dict[str, str]) -> None:
    words = [*map(str.encode, (*COMMAND, "exec", "--")), b"caf\xe9"]
    done = subprocess.run(words, env=environ, capture_output=True)
    assert done.returncode == 125
    assert done.stderr.startswith(b"error[engine-unavailable]")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_can_read_its_script(environ: dict[str, str], shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    script = subprocess.run([*COMMAND, "completion", shell], env=environ, capture_output=True, text=True).stdout
    done = subprocess.run([shell, "-n"], input=script, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_completing_reads_no_profile_and_writes_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "devbox.toml").write_text("this is [no TOML")
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [*COMMAND],
        env={**environ, "_DEVBOX_COMPLETE": "bash_complete", "COMP_WORDS": "devbox st", "COMP_CWORD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "plain,status\n"
    assert done.stderr == ""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", [("status",), ("shell", "--", "true")])
def test_ctrl_c_before_an_agent_has_answered_is_no_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    words: tuple[str, ...],
) -> None:
    """The hot path's own waiting: an environment that is paused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with standing(tmp_path, capfdbinary) as stand, socket.socket(socket.AF_UNIX) as mute:
        stand.entry["socket"] = str(tmp_path / "mute.sock")
        mute.bind(stand.entry["socket"])
        mute.listen()
        stand.write()
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([*COMMAND, *words], cwd=stand.directory, env=environ, stderr=subprocess.PIPE) as child:
            connection, _ = mute.accept()
            with connection:
                connection.recv(1)
                child.send_signal(signal.SIGINT)
                _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (130, b"error[interrupted]: interrupted\n")
