"""The process that a wire lives in: one per machine, started by `wires`, and gone with its QEMU."""

from __future__ import annotations

import _socket
import os
import sys

from devbox.vm.line_process import Life, detached
from devbox.vm.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class WireLife(Life):
    """What the process needs on this host: QEMU's socket, and a place among those of the other machines."""

    def live(self, ready: Callable[[], None]) -> None:
        """Serve to the end; `ready` is called when the machine is on the network, by this process or another."""
        self.settle()
        if not self.lock():
            ready()
            return
        try:
            port = self.connected()
            directory, own = os.path.split(self.place)
            os.chdir(directory)
            self.remove()
            room = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
            room.bind(own)
            ready()
            Wire(port, room, own).run()
        finally:
            self.remove()
            os.ftruncate(self.held, 0)  # our number may soon be another process's


def main() -> int:
    """Start the wire between QEMU's socket and the place that are the arguments; return an exit status."""
    return detached(WireLife(*sys.argv[1:3]))
