"""Who runs devbox in a test: whoever runs the tests, or a second, ordinary user who may use the engine."""

import os
import stat
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.skips import NOT_HERE
from tests.support.tree import ROOT

ORDINARY_ID = 54321  # in no password file, so nothing on the machine has to be changed for it


@dataclass(frozen=True, kw_only=True)
class Account:
    """A uid, gid and further groups, and the Python that this user can run devbox with."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    python: str
    search: str = ""  # PYTHONPATH


def invoker() -> Account:
    """Return whoever runs the tests."""
    return Account(
        uid=os.getuid(), gid=os.getgid(), groups=tuple(os.getgroups()), python=sys.executable, search=str(ROOT)
    )


@cache
def ordinary() -> Account:
    """Return a second user, in the group of the engine's socket; skips the test where there can be none."""
    if os.getuid() != 0:
        pytest.skip(f"{NOT_HERE}only root can become a second user")
    search = f"{ROOT}{os.pathsep}{sysconfig.get_path('purelib')}"
    for python in (sys.executable, "/usr/bin/python3"):
        account = Account(uid=ORDINARY_ID, gid=ORDINARY_ID, groups=(_engine_group(),), python=python, search=search)
        if _can_import_devbox(account):
            return account
    pytest.skip(f"{NOT_HERE}an ordinary user cannot read this clone or its Python")


def _engine_group() -> int:
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    socket = Path(address.removeprefix("unix://"))
    if not address.startswith("unix://") or not stat.S_ISSOCK(socket.stat().st_mode):
        pytest.skip(f"{NOT_HERE}the engine has no unix socket whose group a user could be in")
    return socket.stat().st_gid


def _can_import_devbox(account: Account) -> bool:
    try:
        done = subprocess.run(
            [account.python, "-c", "import devbox.launcher, pydantic_core, docker, rich, typer"],
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": account.search},
            capture_output=True,
        )
    except PermissionError:
        return False
    return done.returncode == 0
