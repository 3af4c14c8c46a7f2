"""Projects on the real engine, built on the tiny image: no network."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator

import pytest

from devbox.engine.base import ContainerRequest, Engine, ImageConfig, ImageInfo
from devbox.values import LABEL_WORKSPACE
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.engine import labels
from tests.support.images import TINY_ENV, tiny_image
from tests.support.project import project

STEPS = """
[[provision]]
run = "echo built >/built"
when = "build"
[[provision]]
run = "echo created >>/tmp/created"
"""


def write(devbox: Devbox, text: str = "") -> None:
    """Write the profile of a project whose base is its own."""
    head = f'user.shell = "sh"\n[base]\nimage = "{base(devbox)}"\n'
    (devbox.directory / "devbox.toml").write_text(head + text)


def base(devbox: Devbox) -> str:
    """Return the name of the project's own base."""
    return f"devbox-test/base:{hashlib.sha256(bytes(devbox.directory)).hexdigest()[:12]}"


@contextlib.contextmanager
def own_base(engine: Engine, devbox: Devbox) -> Iterator[None]:
    """Have the tiny image once more, under an id of its own: projects on one base share their layers.

    At the end it goes, and with it all layers that were built on it.
    """
    tiny = tiny_image(engine)
    reference = base(devbox)
    container = engine.create(ContainerRequest(name=None, image=tiny.id, command=("true",), labels=labels()))
    try:
        config = ImageConfig(
            env=tuple(TINY_ENV.items()), command=("sh",), labels=(*labels(), ("devbox-test.base", reference))
        )
        engine.commit(container, config=config, message="test", reference=reference)
    finally:
        engine.remove(container)
    try:
        yield
    finally:
        devbox("destroy", "-f", status=None)
        remove_images(engine, devbox)
        engine.remove_image(reference, force=True)


def remove_images(engine: Engine, devbox: Devbox) -> None:
    """Remove everything that was built for the project."""
    remove_all(engine, engine.images({LABEL_WORKSPACE: devbox.hash}))


def remove_all(engine: Engine, images: Iterable[ImageInfo]) -> None:
    """Remove `images`, the last made first: what only changed variables has the layers of the one below."""
    for image in sorted(images, key=lambda image: (len(image.layers), image.created), reverse=True):
        engine.remove_image(image.id, force=True)


@pytest.fixture
def devbox(docker_engine: Engine) -> Iterator[Devbox]:
    """A project with one build step and one create step."""
    with project(invoker()) as found, own_base(docker_engine, found):
        write(found, STEPS)
        yield found
