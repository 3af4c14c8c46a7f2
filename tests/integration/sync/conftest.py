"""Environments on the real engine whose project is a copy, kept in sync."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from tests.integration.workspace.conftest import own_base, write
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.supervisors import gone

PATIENCE = 30.0  # seconds
TWO_WAY = '[sync]\nmode = "two-way"\n'


@pytest.fixture
def devbox(docker_engine: Engine) -> Iterator[Devbox]:
    """A project that is synced both ways."""
    with project(invoker()) as found, own_base(docker_engine, found):
        write(found, TWO_WAY)
        (found.directory / "a.txt").write_text("one")
        yield found
        found("destroy", "-f", status=None)
        assert gone(found.hash), "a supervisor was left"


def inside(devbox: Devbox, script: str) -> str:
    """Run a shell script inside and return what it says."""
    return devbox("exec", "--", "sh", "-c", script).stdout.strip()


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def has(path: Path, text: str) -> bool:
    """Whether a file has exactly this content."""
    return path.exists() and path.read_text() == text
