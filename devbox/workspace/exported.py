"""What an Image holds: the engine's export of a container that is made from it and never started."""

from collections.abc import Iterator
from contextlib import contextmanager

from devbox.engine.base import ContainerRequest
from devbox.errors import EngineError
from devbox.interrupts import uninterrupted
from devbox.parity.capture import View, capture
from devbox.parity.manifest import Manifest
from devbox.tarstream import TarStreamError
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_SCHEMA, LABEL_WORKSPACE, ROLE_STEP, SCHEMA, GuestUser
from devbox.workspace.context import Host, Workspace


@contextmanager
def exported(host: Host, workspace: Workspace, image: str) -> Iterator[Iterator[bytes]]:
    """Give the root file system of the image (an id) as a tar stream, with what the engine puts into every container.

    A `TarStreamError` in the block becomes an `EngineError`.
    """
    labels = {LABEL_WORKSPACE: workspace.hash, LABEL_OWNER: host.owner, LABEL_SCHEMA: SCHEMA, LABEL_ROLE: ROLE_STEP}
    request = ContainerRequest(
        name=None, image=image, command=("true",), labels=tuple(sorted(labels.items())), network="none"
    )
    container = None
    try:
        with uninterrupted():  # a container that came into being while a signal did would be nobody's
            container = host.engine.create(request)
        yield host.engine.export(container)
    except TarStreamError as error:
        raise EngineError(f"the engine's export of the image {error}", hint="look at it: devbox doctor") from error
    finally:
        if container is not None:
            host.engine.remove(container)


def manifest_of(host: Host, workspace: Workspace, image: str, user: GuestUser, *, title: str) -> Manifest:
    """Return the content manifest of the image (an id); `title`: what it is called while it is read."""
    view = View(directory=workspace.guest_directory, user=user.name, uid=user.uid, gid=user.gid)
    with host.reporter.step(f"read what {title} holds"), exported(host, workspace, image) as stream:
        return capture(stream, view)
