"""What an Image of a Workspace holds."""

from collections.abc import Iterator
from contextlib import contextmanager

from devbox.engine.exported import exported as export_of
from devbox.errors import EngineError
from devbox.parity.capture import View, capture
from devbox.parity.manifest import Manifest
from devbox.tarstream import TarStreamError
from devbox.values import LABEL_OWNER, LABEL_SCHEMA, LABEL_WORKSPACE, SCHEMA, GuestUser
from devbox.workspace.context import Host, Workspace


@contextmanager
def exported(host: Host, workspace: Workspace, image: str) -> Iterator[Iterator[bytes]]:
    """Give the root file system of the image (an id) as a tar stream, with what the engine puts into every container.

    A `TarStreamError` in the block becomes an `EngineError`.
    """
    labels = {LABEL_WORKSPACE: workspace.hash, LABEL_OWNER: host.owner, LABEL_SCHEMA: SCHEMA}
    try:
        with export_of(host.engine, image, labels) as stream:
            yield stream
    except TarStreamError as error:
        raise EngineError(f"the engine's export of the image {error}", hint="look at it: devbox doctor") from error


def manifest_of(host: Host, workspace: Workspace, image: str, user: GuestUser, *, title: str) -> Manifest:
    """Return the content manifest of the image (an id); `title`: what it is called while it is read."""
    view = View(directory=workspace.guest_directory, user=user.name, uid=user.uid, gid=user.gid)
    with host.reporter.step(f"read what {title} holds"), exported(host, workspace, image) as stream:
        return capture(stream, view)
