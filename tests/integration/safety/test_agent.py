"""Nothing of the agent is for anybody else: users of the host, the user inside, root inside."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.engine.base import Engine
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.values import LABEL_WORKSPACE
from tests.contract.runtime.conftest import exec_spec
from tests.integration.safety.conftest import PROFILE
from tests.support.account import ORDINARY_ID, ordinary
from tests.support.command import Devbox
from tests.support.images import tiny_image
from tests.support.project import project

pytestmark = pytest.mark.docker
_CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
INSIDE = "/run/devbox/socket/agent.sock"


@pytest.fixture
def up(devbox: Devbox) -> Devbox:
    devbox("up")
    return devbox


def _directory(devbox: Devbox) -> Path:
    return devbox.home / ".local/state/devbox/s" / devbox.hash / "agent"


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can become a second user")
def test_no_other_user_of_the_host_reaches_the_socket(up: Devbox) -> None:
    directory = _directory(up)
    for parent in (directory.parent, *directory.parent.parents[:5]):
        if parent.is_relative_to(up.home):
            assert parent == up.home or parent.stat().st_mode & 0o077 == 0, parent
            parent.chmod(0o755)  # so that what is tried is the agent's directory itself
    assert directory.stat().st_mode & 0o777 == 0o700
    assert "PermissionError" in _connect_as(ORDINARY_ID, directory / "agent.sock")
    directory.chmod(0o755)  # and now the socket
    assert (directory / "agent.sock").stat().st_mode & 0o777 == 0o600
    assert "PermissionError" in _connect_as(ORDINARY_ID, directory / "agent.sock")
    assert _connect_as(0, directory / "agent.sock") == ""


def _connect_as(uid: int, path: Path) -> str:
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    place = os.path.relpath(path, path.parent.parent)
    done = subprocess.run(
        [python, "-I", "-c", _CONNECT, place], cwd=path.parent.parent, user=uid, extra_groups=[], capture_output=True
    )
    return done.stderr.decode()


def test_the_user_inside_sees_nothing_of_it(up: Devbox) -> None:
    for words in (("ls", "/run/devbox"), ("cat", "/run/devbox/agent"), ("ls", "/run/devbox/socket")):
        denied = up("exec", "-u", "4321:4321", "--", *words, status=1)
        assert "Permission denied" in denied.stderr, words
    refused = up("exec", "-u", "4321:4321", "--", "/run/devbox/agent", "stream", "--socket", INSIDE, status=126)
    assert "permission denied" in refused.stderr


def test_root_inside_is_refused_by_the_agent_itself(docker_engine: Engine, up: Devbox) -> None:
    (instance,) = ContainerRuntime(docker_engine).instances({LABEL_WORKSPACE: up.hash})
    session = instance.exec(exec_spec("/run/devbox/agent", "stream", "--socket", INSIDE))
    try:
        session.send(wire.hello(""))
        said = b""
        while (frame := session.receive()) is not None:
            said += frame[1] if frame[0] == 1 else b""
    finally:
        session.close()
    accepted = [kind for kind, _, _ in wire.Decoder().feed(said) if kind == wire.HELLO]
    assert accepted == []


def test_what_runs_inside_has_no_rights_beyond_its_uid(up: Devbox) -> None:
    status = up("exec", "-u", "4321:4321", "--", "cat", "/proc/self/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert [int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    assert facts["NoNewPrivs"] == "1"
    root = up("exec", "-u", "root", "--", "cat", "/proc/self/status").stdout
    bounding = int(next(line for line in root.splitlines() if line.startswith("CapBnd")).split()[1], 16)
    setpcap = 8
    assert not bounding & (1 << setpcap)


def test_root_inside_cannot_lead_devbox_to_another_socket_of_the_host(up: Devbox, tmp_path: Path) -> None:
    target = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(target))
        listener.listen()
        listener.settimeout(0)
        up("exec", "-u", "root", "--", "ln", "-sf", str(target), INSIDE)
        assert (_directory(up) / "agent.sock").is_symlink()
        assert up("exec", "--", "true", status=125).stderr.startswith("error[agent-error]")
        up("status")
        with pytest.raises(BlockingIOError):
            listener.accept()
    up("up")
    up("exec", "--", "true")


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can become a second user")
def test_the_user_inside_who_has_the_uid_of_the_user_outside_sees_nothing_of_it(docker_engine: Engine) -> None:
    tiny_image(docker_engine)
    with project(ordinary()) as devbox:
        (devbox.directory / "devbox.toml").write_text(PROFILE)
        devbox("up")
        assert devbox("exec", "--", "id", "-u").stdout == f"{ORDINARY_ID}\n"
        assert "Permission denied" in devbox("exec", "--", "ls", "/run/devbox", status=1).stderr
        assert "Permission denied" in devbox("exec", "--", "ls", "/run/devbox/socket", status=1).stderr
        assert "Permission denied" in devbox("exec", "--", "ls", "/proc/1/root/run/devbox", status=1).stderr


@pytest.mark.skipif(os.getuid() != 0, reason="not possible here: only root can become a second user")
@pytest.mark.parametrize(
    "trick",
    [
        "chown -R 0:0 . && chmod 700 .",
        "mkdir -m 700 more && chown -R 999:999 .",
        "rm agent.sock && mkdir -p agent.sock/more",
        "rm agent.sock && mkfifo -m 777 agent.sock",
    ],
)
def test_root_inside_cannot_lock_the_user_out_for_good(docker_engine: Engine, trick: str) -> None:
    """The socket's directory is the host user's own, and root inside may give it to somebody else."""
    tiny_image(docker_engine)
    with project(ordinary()) as devbox:
        (devbox.directory / "devbox.toml").write_text(PROFILE)
        devbox("up")
        place = os.path.dirname(INSIDE)  # noqa: PTH120 (a path inside)
        devbox("exec", "-u", "root", "--", "sh", "-c", f"cd {place} && {trick}")
        devbox("exec", "--", "true", status=125)
        devbox("up")
        devbox("exec", "--", "true")
        assert _directory(devbox).stat().st_uid == ORDINARY_ID


def test_its_program_cannot_be_changed_by_root_inside(up: Devbox) -> None:
    done = up("exec", "-u", "root", "--", "sh", "-c", "echo >/run/devbox/agent", status=None)
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
