"""A project on the real engine, built on the tiny image: no network."""

from collections.abc import Iterator

import pytest

from devbox.engine.base import Engine
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.images import TINY, tiny_image
from tests.support.project import project

PROFILE = f'user.shell = "sh"\n[base]\nimage = "{TINY}"\n'


@pytest.fixture
def devbox(docker_engine: Engine) -> Iterator[Devbox]:
    tiny_image(docker_engine)
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(PROFILE)
        yield found
