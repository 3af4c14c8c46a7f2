"""Bad inputs 39 and 40: no terminal, closed and full streams, much output, no HOME, any umask, any locale."""

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.safety.conftest import PROFILE
from tests.support.agent import share_programs
from tests.support.command import Devbox

pytestmark = pytest.mark.docker

ESCAPES = "\x1b[31m\x1b]52;c;QUJD\x07\u202e\x9b2J"


def _run(
    devbox: Devbox, *words: str, env: Mapping[str, str] | None = None, umask: int = -1
) -> subprocess.CompletedProcess[bytes]:
    environ = devbox.environment if env is None else dict(env)
    argv = [devbox.account.python, "-m", "devbox", *words]
    return subprocess.run(
        argv, cwd=devbox.directory, env=environ, umask=umask, stdin=subprocess.DEVNULL, capture_output=True
    )


def _most_resident(pid: int) -> int:
    """Return the most memory that a process has had, in KiB; 0 when it has ended. wait4 would count ours with it."""
    if sys.platform == "darwin":
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(done.stdout or 0)
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def test_a_gigabyte_goes_through_and_is_held_nowhere(devbox: Devbox) -> None:
    size = 256 if not os.environ.get("DEVBOX_TEST_LONG") else 1024
    devbox("up")
    with (devbox.directory / "big").open("wb") as file:
        file.truncate(size * 1024**2)
    argv = [devbox.account.python, "-m", "devbox", "exec", "--", "cat", "big"]
    digest, total, kilobytes = hashlib.md5(usedforsecurity=False), 0, 0
    with subprocess.Popen(argv, cwd=devbox.directory, env=devbox.environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        while data := child.stdout.read(1024**2):
            digest.update(data)
            total += len(data)
            kilobytes = max(kilobytes, _most_resident(child.pid))
    assert (child.returncode, total) == (0, size * 1024**2)
    assert 0 < kilobytes < 60 * 1024, "the output was held in memory"


def test_without_home_the_password_database_says_where_it_is(devbox: Devbox) -> None:
    environ = {name: value for name, value in devbox.environment.items() if name != "HOME"}
    places = {name: str(devbox.home / name.lower()) for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    share_programs(Path(places["XDG_CACHE_HOME"]))
    done = _run(devbox, "up", env={**environ, **places})  # or this machine's own home would be written to
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


def test_directories_that_cannot_be_written_cost_a_line(devbox: Devbox) -> None:
    names = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
    environ = {**devbox.environment, **dict.fromkeys(names, "/proc/nowhere")}
    # A checkout, unlike an installed devbox, has to compile the agent, and keeps that in the cache.
    done = _run(devbox, "up", env={**environ, "XDG_CACHE_HOME": str(devbox.home / ".cache")})
    assert done.returncode == 0, done.stderr
    for words in (("status",), ("exec", "true"), ("build", "--no-cache"), ("up",), ("halt",), ("destroy", "-f")):
        done = _run(devbox, *words, env=environ)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(b"without remembering") <= 1


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_devbox_keeps_is_private_whatever_the_umask(devbox: Devbox, umask: int) -> None:
    (devbox.directory / "devbox.toml").write_text(PROFILE + '[[provision]]\nrun = "echo x"\nwhen = "build"\n')
    assert _run(devbox, "up", umask=umask).returncode == 0
    kept = [*(devbox.home / ".local/state/devbox").rglob("*"), *(devbox.home / ".cache/devbox").rglob("*")]
    assert len(kept) > 3
    programs = [
        path for path in kept if path.name == f"agent-{os.uname().machine}"
    ]  # run inside, where uids may differ
    assert [stat.S_IMODE(path.parent.stat().st_mode) for path in programs] == [0o700]
    kept = [path for path in kept if path not in programs and not path.is_symlink()]
    open_to_others = [str(path) for path in kept if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert open_to_others == []


@pytest.mark.parametrize("locale", ["C", "POSIX", "tr_TR.UTF-8", "nonsense"])
def test_any_locale_works(devbox: Devbox, locale: str) -> None:
    name = devbox.directory / "naïve 日本"
    name.write_text("seen\n")
    environ = {**devbox.environment, "LC_ALL": locale}
    assert _run(devbox, "up", env=environ).returncode == 0
    assert _run(devbox, "exec", "--", "cat", name.name, env=environ).stdout == b"seen\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not possible here: no /dev/full")
@pytest.mark.parametrize(("words", "status"), [(("status",), 1), (("exec", "--", "echo", "hi"), 125)])
def test_a_full_disk_below_the_output_is_one_line(devbox: Devbox, words: tuple[str, ...], status: int) -> None:
    devbox("up")
    with Path("/dev/full").open("w") as full:
        argv = [devbox.account.python, "-m", "devbox", *words]
        done = subprocess.run(
            argv, cwd=devbox.directory, env=devbox.environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == status
    assert "no space left" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["hot", "cold"])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_output_that_was_closed_never_goes_to_what_was_opened_instead(devbox: Devbox, path: str, closed: str) -> None:
    """With stdin closed as well that was the engine's socket: whatever runs inside could have given it orders."""
    devbox("up")
    engine = "printf 'GET /_ping HTTP/1.1\\r\\nHost: e\\r\\n\\r\\n'"
    inside = f"{engine}; {engine} >&2; cat; exit 7"
    argv = [devbox.account.python, "-m", "devbox", "exec", "--", "sh", "-c", inside]
    environ = devbox.environment | ({"DEVBOX_NO_HOT": "1"} if path == "cold" else {})
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *argv],
        cwd=devbox.directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == (141 if ">" in closed else 7)  # as when a reader has gone


def test_no_escape_of_the_profile_a_step_or_a_file_reaches_a_terminal(devbox: Devbox) -> None:
    """S-09: names, output of steps and the words of errors."""
    name = ESCAPES.encode("unicode_escape").decode().replace("\\x", "\\u00")
    step = f'[[provision]]\nname = "{name}"\nrun = \'cat said; exit 3\'\nwhen = "create"\n'
    (devbox.directory / "said").write_text(ESCAPES)
    for profile in (step, step.replace("create", "build").replace("cat said", f"printf '{name}'"), f'"{name}" = 1\n'):
        written = profile if profile.startswith('"') else PROFILE + profile
        (devbox.directory / "devbox.toml").write_text(written.replace("printf '", "printf '%b' '"))
        for words in (("up",), ("-v", "up"), ("status",), ("config",), ("config", "--explain"), ("list",)):
            done = _run(devbox, *words)
            text = (done.stdout + done.stderr).decode()
            assert not [char for char in text if char in "\x1b\x07\x9b\u202e"], (words, text)
