"""An image as a distroless one is: a static program, and nothing else."""

import io
import tarfile

from devbox.engine.base import Engine, ImageInfo
from tests.support import images
from tests.support.archive import add, archive, loaded

BARE = "devbox-test/bare:1"
PROGRAM = "/busybox"  # does what its first argument says; there is no /bin/sh that leads to it


def bare_image(engine: Engine) -> ImageInfo:
    """Return the image, loading it if this engine does not have it. It stays: it is a cache."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, PROGRAM.removeprefix("/"), images._busybox().read_bytes(), mode=0o755)
    return loaded(engine, BARE, *archive(BARE, layer.getvalue(), {"Entrypoint": [PROGRAM]}))
