"""devbox as it runs on another machine: another user, umask, time zone, locale and host name."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.account import ordinary
from tests.support.command import Devbox
from tests.support.project import project


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What differs from one machine to the next."""

    hostname: str
    uid: int
    umask: int
    variables: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Devbox):
    """Runs `devbox` as on `machine`. It needs root, who becomes the machine's user when the host has its name."""

    machine: Machine

    @property
    def command(self) -> list[str]:
        groups = ",".join(map(str, self.account.groups)) or str(self.account.gid)
        user = [f"--reuid={self.account.uid}", f"--regid={self.account.gid}", f"--groups={groups}"]
        name = 'hostname "$0" && exec "$@"'
        return ["unshare", "--uts", "sh", "-c", name, self.machine.hostname, "setpriv", *user, *super().command]

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.machine.variables

    @property
    def settings(self) -> dict[str, Any]:
        kept = {name: value for name, value in super().settings.items() if name in ("cwd", "env")}
        return {**kept, "umask": self.machine.umask}


@contextmanager
def clone(source: Path, machine: Machine, *, name: str) -> Iterator[Elsewhere]:
    """Have a clone of `source` in a directory called `name` on `machine`."""
    for tool in ("unshare", "setpriv", "hostname"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}: apt-get install util-linux hostname")
    account = replace(ordinary(), uid=machine.uid, gid=machine.uid)
    with project(account, source=source, name=name) as made:
        for path in (made.directory, *made.directory.rglob("*")):
            path.chmod(path.stat().st_mode & ~machine.umask)  # as git would have made it
        yield Elsewhere(directory=made.directory, home=made.home, account=account, machine=machine)
