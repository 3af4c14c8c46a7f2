"""The front before a real agent on this host, for what needs no engine."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.ssh.entry import Entry, render
from devbox.ssh.keys import ensure_keys, host_key_file, known_hosts_file
from devbox.workspace.login import login_argv, run_argv
from tests.support import ssh_front
from tests.support.agent import host_agent
from tests.support.ssh_client import Client, require

HASH = "1a2b3c4d"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The project's directory inside, which here is one of this host."""
    directory = tmp_path / "a project"
    directory.mkdir()
    return directory


@pytest.fixture
def ssh(tmp_path: Path, inside: Path, home: Path) -> Iterator[Client]:
    """The client, and what it speaks to."""
    require("ssh", "openssh-client")
    ensure_keys(HASH, "devbox-test")
    with host_agent() as agent:
        own = f"{os.getuid()}:{os.getgid()}"
        env = [["HOME", str(home)], ["USER", "dev"], ["PATH", os.environ["PATH"]]]
        front = {
            "socket": agent.path,
            "identity": agent.identity,
            "host_key": str(host_key_file(HASH)),
            "name": "dev",
            "run_as": own,
            "workdir": str(inside),
            "shell": login_argv("bash", ()),
            "command": run_argv("bash"),
            "env": env,
            "env_of_others": [],
        }
        (tmp_path / "front.json").write_text(json.dumps(front))
        root = Path(__file__).parents[3]
        proxy = ("env", f"PYTHONPATH={root}", sys.executable, "-P", ssh_front.__file__, str(tmp_path / "front.json"))
        known = str(known_hosts_file(HASH))
        entry = Entry(host="shop.devbox", key_alias="devbox-test", user="dev", proxy=proxy, known_hosts=known)
        (tmp_path / "config").write_text(render(entry))
        yield Client(config=tmp_path / "config", host=entry.host)
