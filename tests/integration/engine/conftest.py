"""A running container of the tiny image on Docker."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devbox.engine.base import ContainerRequest, ExecRequest
from devbox.engine.sdk import SdkEngine
from tests.support.engine import labels
from tests.support.images import tiny_image

Make = Callable[..., str]


@pytest.fixture
def make(docker_engine: SdkEngine) -> Iterator[Make]:
    """Make containers of the tiny image, removed after the test."""
    made: list[str] = []

    def create(*command: str, start: bool = True, **options: Any) -> str:
        image = tiny_image(docker_engine)
        defaults = {"name": None, "image": image.id, "labels": labels(), "env": image.env}
        found = docker_engine.create(
            ContainerRequest(**{**defaults, "command": command or ("sleep", "600"), **options})
        )
        made.append(found)
        if start:
            docker_engine.start(found)
        return found

    yield create
    for container in made:
        docker_engine.remove(container)


def run(engine: SdkEngine, container: str, script: str, *, stdin: bytes | None = None) -> tuple[int, bytes]:
    """Run a script to its end; return its exit code and all that it wrote."""
    request = ExecRequest(argv=("/bin/sh", "-c", script), user="0:0", stdin=stdin is not None)
    session = engine.exec(container, request)
    try:
        if stdin is not None:
            session.send(stdin)
            session.close_stdin()
        got = b""
        while (frame := session.receive()) is not None:
            got += frame[1]
        return session.exit_code(), got
    finally:
        session.close()
