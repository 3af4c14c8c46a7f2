"""What was read along with a look, for whoever sends it on: the newest of it, and not more than so many bytes."""

from typing import Final

from devbox.sync.core.entry import Side, Stamp
from devbox.sync.endpoint import Content
from devbox.sync.rows import Node

MOST: Final = 4 << 20  # bytes of content; what is not here any more is read again
_EACH: Final = 512  # bytes that one takes beside its content
_NOTHING: Final = Content(b"", b"")


class Contents:
    """Contents of files, by side and node."""

    def __init__(self) -> None:
        self._all: dict[tuple[Side, Node], tuple[Stamp, Content]] = {}
        self._bytes = 0

    def put(self, side: Side, node: Node, stamp: Stamp, content: Content) -> None:
        """Remember one; the oldest go where there are too many."""
        self.take(side, node)
        self._all[side, node] = (stamp, content)
        self._bytes += len(content.data) + _EACH
        while self._bytes > MOST:
            self.take(*next(iter(self._all)))

    def take(self, side: Side, node: Node) -> tuple[Stamp | None, Content]:
        """Take the content of one, and the stamp with which it was read; None where it is not here."""
        found = self._all.pop((side, node), None)
        if found is None:
            return None, _NOTHING
        self._bytes -= len(found[1].data) + _EACH
        return found

    def __len__(self) -> int:
        return len(self._all)
