"""A project directory of a test, with a space in its name, that belongs to whoever uses devbox in it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devbox import paths
from devbox.agent import program
from tests.support.account import Account
from tests.support.agent import share_programs
from tests.support.command import Devbox, sweep


@contextmanager
def project(
    account: Account, *, source: Path | None = None, owner: int | None = None, name: str = "a project"
) -> Iterator[Devbox]:
    """Make a project from `source`, owned by `account` or by uid and gid `owner`; all of it goes at the end."""
    place = Path(tempfile.mkdtemp(prefix="devbox test "))
    place.chmod(0o755)  # pytest's own are closed to a second user
    try:
        directory = place / name
        if source:
            shutil.copytree(
                source,
                directory,
                ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".pytest_cache", "*.sqlite3"),
            )
        else:
            directory.mkdir()
        home = place / "home"
        home.mkdir()
        if account.uid == os.getuid():
            share_programs(home / ".cache")
        else:  # another one cannot read ours
            _give_program(home / ".cache")
        _give(directory, account.uid if owner is None else owner, account.gid if owner is None else owner)
        _give(home, account.uid, account.gid)
        devbox = Devbox(directory=directory, home=home, account=account)
        try:
            yield devbox
        finally:
            devbox("destroy", "-f", status=None)
            sweep(devbox.hash)
    finally:
        shutil.rmtree(place)


def _give_program(cache: Path) -> None:
    """Put the agent's program where devbox would put it when it has compiled it, which takes too long for each test."""
    target = cache / "devbox" / "agent" / program.build_id() / program.name(os.uname().machine)
    paths.private_directory(str(target.parent))
    shutil.copy(program.binary(os.uname().machine), target)


def _give(directory: Path, uid: int, gid: int) -> None:
    if os.getuid() != 0:
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)
