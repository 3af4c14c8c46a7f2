"""One environment with the programs that people use at a terminal, and terminals to use them in."""

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_ENVIRONMENT
from tests.support.account import Account, invoker, ordinary
from tests.support.command import Devbox, engine
from tests.support.images import programs_image
from tests.support.project import project
from tests.support.screen import Screen, Screens, screens, until

SOON = 15.0  # seconds within which a process is gone that its terminal has left; the agent waits 3 before SIGKILL
_WRAPPER = """\
#!/bin/sh
echo $$ >"$HOME/client.pid"
exec {python} -m devbox "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """An environment that runs, and a way to look at it that goes neither through devbox nor through the agent."""

    devbox: Devbox
    container: Any

    def inside(self) -> list[str]:
        """Return the command lines of all processes inside, but for the environment's own first one."""
        top = self.container.top(ps_args="-eo pid,args")
        return [line for _, line in top["Processes"] if not _is_first(line)]

    def until_gone(self, part: str = "") -> None:
        """Wait until no process inside has `part` in its command line."""
        until(lambda: [line for line in self.inside() if part in line], lambda found: not found, within=SOON)

    def until_there(self, line: str) -> None:
        """Wait for a process inside whose command line is `line`; a shell that is going to run it does not count."""
        until(self.inside, lambda found: line in found)

    def client(self) -> int:
        """Return the process id of the devbox that was started last."""
        return int((self.devbox.home / "client.pid").read_text())

    def content(self, name: str) -> bytes:
        """Return what the file `name` of the project holds by now."""
        path = self.devbox.directory / name
        return path.read_bytes() if path.exists() else b""

    def until_content(self, name: str, content: bytes) -> None:
        """Wait until the file `name` of the project holds `content`."""
        until(lambda: self.content(name), lambda found: found == content)


def _is_first(line: str) -> bool:
    return "docker-init" in line or line == "sleep infinity" or line.startswith("/run/devbox/agent serve")


def _person() -> Account:
    """Return an ordinary user, whose files inside must be his outside; if there can be none, who runs the tests."""
    if os.getuid() != 0:
        return invoker()
    try:
        return ordinary()
    except pytest.skip.Exception:
        return invoker()


@pytest.fixture(scope="session")
def _environment() -> Iterator[Place]:
    with project(_person()) as devbox:
        (devbox.directory / "devbox.toml").write_text(f'[base]\nimage = "{programs_image()}"\n')
        wrapper = devbox.home / "devbox"
        wrapper.write_text(_WRAPPER.format(python=shlex.quote(devbox.account.python)))
        wrapper.chmod(0o755)
        devbox("up")
        labels = [f"{LABEL_WORKSPACE}={devbox.hash}", f"{LABEL_ROLE}={ROLE_ENVIRONMENT}"]
        with engine() as client:
            yield Place(devbox=devbox, container=client.containers.list(filters={"label": labels})[0])


@pytest.fixture
def place(_environment: Place) -> Iterator[Place]:
    """The environment; a test that leaves a process in it fails."""
    yield _environment
    try:
        _environment.until_gone()
    except AssertionError:
        _environment.container.exec_run(["kill", "-9", "-1"], user="0:0")  # the next test is to fail by itself alone
        raise
    for path in _environment.devbox.directory.iterdir():
        if path.name not in ("devbox.toml", "devbox.lock"):
            path.unlink()


@pytest.fixture
def terminals(place: Place) -> Iterator[Screens]:
    """A tmux server of this test alone."""
    devbox = place.devbox
    environment = {
        **devbox.environment,
        "PATH": f"{devbox.home}{os.pathsep}{devbox.environment['PATH']}",
        "LANG": "C.UTF-8",
        "PS1": r"host \#> ",
    }
    with screens(devbox.account, environment) as server:
        yield server


Opener = Callable[..., Screen]


@pytest.fixture
def outside(place: Place, terminals: Screens) -> Opener:
    """Open a terminal with a shell on the host in the project's directory, at its prompt."""

    def open_one(*, rows: int = 24, columns: int = 80) -> Screen:
        screen = terminals.open(
            "exec bash --norc --noprofile", cwd=Path(place.devbox.directory), rows=rows, columns=columns
        )
        screen.until_prompt("host 1>")
        return screen

    return open_one


@pytest.fixture
def host(outside: Opener) -> Screen:
    """A terminal of 24 rows and 80 columns with a shell on the host, at its prompt."""
    return outside()


@pytest.fixture
def shell(host: Screen) -> Screen:
    """The same, in which `devbox shell` was typed, at the prompt inside."""
    host.enter("devbox shell")
    host.until_prompt("in 1>")
    return host
