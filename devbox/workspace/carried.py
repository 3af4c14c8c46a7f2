"""What the last step of a build changed, brought into a running Environment instead of being done there once more."""

import queue
from collections.abc import Callable

from devbox.build.layer import BRING, STATUS_BUSY, STATUS_CHANGED, Layer, brought
from devbox.runtimes.base import ExecSpec, Instance
from devbox.workspace.capture import feed

_MOST = 512 * 1024**2  # bytes of an archive that is held


class Carried:
    """A `Carrier` to one Instance. `bring` is for another thread than the build's."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._layers: queue.SimpleQueue[Layer | None] = queue.SimpleQueue()

    def carry(self, layer: Layer) -> None:
        """Take it; returns at once."""
        self._layers.put(layer if len(layer.archive) <= _MOST else None)

    def decline(self) -> None:
        """There will be none."""
        self._layers.put(None)

    def bring(self, say: Callable[[str], None]) -> int | None:
        """Wait for it and bring it in; return the exit code, or None if nothing was done and nothing may be so."""
        layer = self._layers.get()
        if layer is None:
            return None
        spec = ExecSpec(argv=BRING, user="0:0", workdir="/")
        status = feed(self._instance, spec, brought(layer) + layer.archive, say)
        return None if status in (STATUS_CHANGED, STATUS_BUSY) else status
