"""What an image holds: the engine's export of a container that is made from it and never started."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from devbox.engine.base import ContainerRequest, Engine
from devbox.interrupts import uninterrupted
from devbox.values import LABEL_ROLE, ROLE_STEP


@contextmanager
def exported(engine: Engine, image: str, labels: Mapping[str, str]) -> Iterator[Iterator[bytes]]:
    """Give the root file system of the image (an id) as a tar stream, with what the engine puts into every container.

    `labels`: whose the container is, which does not outlive this.
    """
    carried = tuple(sorted({**labels, LABEL_ROLE: ROLE_STEP}.items()))
    request = ContainerRequest(name=None, image=image, command=("true",), labels=carried, network="none")
    container = None
    try:
        with uninterrupted():  # a container that came into being while a signal did would be nobody's
            container = engine.create(request)
        yield engine.export(container)
    finally:
        if container is not None:
            engine.remove(container)
