"""Projects on a base that gets its packages from an archive of the test's own: what is there can come and go."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from devbox.profile.lock import Platform
from devbox.profile.lock_file import parse
from tests.integration.workspace.conftest import remove_images
from tests.support.account import Account, invoker
from tests.support.command import Devbox
from tests.support.packages import MACHINE, Archive, base_of, served
from tests.support.project import project


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A project, the archive that it gets its packages from, and the base that knows it."""

    devbox: Devbox
    archive: Archive
    base: str
    engine: Engine

    @property
    def lock(self) -> Path:
        """The project's devbox.lock."""
        return self.devbox.directory / "devbox.lock"

    def write(self, *names: str, text: str = "") -> None:
        """Write a profile with the system packages `names`."""
        write(self.devbox, self.base, *names, text=text)

    def platform(self) -> Platform:
        """Return what the lock says for this machine."""
        return parse(self.lock.read_text()).platforms[MACHINE]

    def versions(self) -> dict[str, str]:
        """Return the locked version of each package, by name."""
        return {one.name: one.version for group in self.platform().groups for one in group.packages}

    def holds(self, *names: str) -> str:
        """Return what the packages `names` say inside."""
        return self.devbox("exec", "--", "cat", *(f"/usr/share/{name}" for name in names)).stdout

    def forget_images(self) -> None:
        """Remove the environment and everything that was built for it."""
        self.devbox("destroy", "-f")
        remove_images(self.engine, self.devbox)


def write(devbox: Devbox, base: str, *names: str, text: str = "") -> None:
    """Write a profile on `base` with the system packages `names`."""
    listed = ", ".join(f'"{name}"' for name in names)
    head = f'user.shell = "sh"\n[base]\nimage = "{base}"\n[packages]\nsystem = [{listed}]\n'
    (devbox.directory / "devbox.toml").write_text(head + text)


def made(engine: Engine, archive: Archive, base: str, account: Account) -> Iterator[Shelf]:
    """Yield a project of `account` on `base`."""
    with project(account) as devbox:
        yield Shelf(devbox=devbox, archive=archive, base=base, engine=engine)
        devbox("destroy", "-f", status=None)
        remove_images(engine, devbox)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive with the packages "apple" and "pear"."""
    with served(tmp_path) as found:
        found.add("apple")
        found.add("pear")
        yield found


@pytest.fixture
def base(docker_engine: Engine, archive: Archive) -> Iterator[str]:
    """A base with this archive, and a package cache of its own."""
    with base_of(docker_engine, archive) as reference:
        yield reference


@pytest.fixture
def neighbour(docker_engine: Engine, base: str) -> Iterator[None]:
    """Another environment of the same owner: while it is there, no `destroy` empties the caches that they share.

    It is there before the other one and goes after it, which may stand on its layers.
    """
    with project(invoker(), name="next door") as found:
        write(found, base)
        found("up")
        yield
        found("destroy", "-f")
        remove_images(docker_engine, found)


@pytest.fixture
def shelf(docker_engine: Engine, archive: Archive, base: str) -> Iterator[Shelf]:
    """A project that asks for "apple"."""
    for found in made(docker_engine, archive, base, invoker()):
        found.write("apple")
        yield found
