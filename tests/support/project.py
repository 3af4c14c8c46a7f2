"""A project directory of a test, with a space in its name, that belongs to whoever uses devbox in it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.account import Account
from tests.support.command import Devbox, sweep


@contextmanager
def project(account: Account, *, source: Path | None = None, owner: int | None = None) -> Iterator[Devbox]:
    """Make a project from `source`, owned by `account` or by uid and gid `owner`; all of it goes at the end."""
    place = Path(tempfile.mkdtemp(prefix="devbox test "))
    place.chmod(0o755)  # pytest's own are closed to a second user
    try:
        directory = place / "a project"
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


def _give(directory: Path, uid: int, gid: int) -> None:
    if os.getuid() != 0:
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)
