"""`devbox ssh-config` and `ssh-proxy` as a user has them: an entry, OpenSSH's client, an environment of the engine."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from devbox.engine.base import Engine
from tests.integration.workspace.conftest import own_base, write
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.ssh_client import Client, require

pytestmark = pytest.mark.docker


@pytest.fixture
def devbox(docker_engine: Engine) -> Iterator[Devbox]:
    """A project whose environment runs."""
    require("ssh", "openssh-client")
    with project(invoker()) as found, own_base(docker_engine, found):
        write(found)
        found("up")
        yield found


@pytest.fixture
def ssh(devbox: Devbox, tmp_path: Path) -> Client:
    """The client with the entry that was printed, which leads to this very devbox."""
    entry = tmp_path / "entry"
    entry.write_text(devbox("ssh-config", "--host", "shop").stdout)
    return Client(config=entry, host="shop", env=devbox.environment)


def test_what_comes_out_is_the_commands_and_nothing_else(devbox: Devbox, ssh: Client) -> None:
    for _ in range(8):  # the client hangs up on its ProxyCommand when it goes, a little sooner or later
        done = ssh("pwd; exit 7", status=7)
        assert done.stdout.decode() == f"/workspaces/{devbox.directory.name}\n"
        assert done.stderr == b""


def test_what_does_not_run_is_not_started_but_on_request(devbox: Devbox, ssh: Client) -> None:
    devbox("halt")
    assert b"error[not-running]" in ssh("true", status=255).stderr
    assert devbox.json("status")["state"] == "stopped"
    ssh.config.write_text(devbox("ssh-config", "--host", "shop", "--up").stdout)
    ssh("true")
    assert devbox.json("status")["state"] == "running"


def test_a_directory_s_name_does_nothing_to_the_terminal_and_stays_what_it_is_in_a_file(devbox: Devbox) -> None:
    name = "a\x9b31m\u202eb"
    (devbox.directory / name).mkdir()
    (devbox.directory / name / "devbox.toml").write_text((devbox.directory / "devbox.toml").read_text())
    words = ["-m", "devbox", "-C", name, "ssh-config"]
    environ = {**devbox.environment, "LC_ALL": "C.UTF-8"}
    command = shlex.join([devbox.account.python, *words])
    shown = pexpect.run(command, cwd=str(devbox.directory), env=environ, encoding="utf-8")
    assert isinstance(shown, str)
    assert "ProxyCommand" in shown
    assert not {"\x9b", "\u202e"} & set(shown)
    assert f"{name}'\n" in devbox("-C", name, "ssh-config").stdout
