"""What a guest has lost of its last seconds: nobody did that, so it is no edit. Of one thread.

A machine that was cut off comes back with its disk as it was some seconds before: files are older than what both sides
had, or empty, or not there, and what was deleted is there again. By its change time each of them is from before what is
known, which nothing is that somebody did since. What the guest has there becomes what both had: so what the host has is
the only change, and is brought over once more. What it replaces inside goes to the trash there.
"""

import struct
import time
from collections.abc import Iterable, Iterator
from typing import Final

from devbox.sync.core.entry import Kind, Side, Stamp
from devbox.sync.rows import Node, Rows, ctime

_MOST: Final = 256  # paths that were taken away, of which it is known
_SPAN: Final = 300.0  # seconds after which a disk has that for sure
_SHOWN: Final = struct.Struct("<dqI")  # of each: when, the change time, and how long its path is


class Removed:
    """What was taken away from the guest lately: by path when, and the change time of what was there.

    `data`: what `packed` returned in an earlier session.
    """

    def __init__(self, data: bytes = b"") -> None:
        self._known: dict[bytes, tuple[float, int]] = {}
        at = 0
        while at < len(data):
            when, changed, size = _SHOWN.unpack_from(data, at)
            at += _SHOWN.size + size
            self._known[data[at - size : at]] = (when, changed)

    def packed(self) -> bytes:
        """Return it for a later session."""
        known = [(path, *one) for path, one in self._known.items() if self._counts(one[0])]
        return b"".join(_SHOWN.pack(when, changed, len(path)) + path for path, when, changed in known)

    def add(self, node: Node) -> None:
        """It is about to be known that the guest has nothing there any more."""
        if node.guest_stamp is not None:
            path = node.path
            self._known.pop(path, None)  # so that they stand in the order of their times
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[path] = (time.time(), ctime(node.guest_stamp))

    def has(self, node: Node, stamp: Stamp) -> bool:
        """Whether what is there now was there before it was taken away."""
        if not self._known:
            return False
        when, changed = self._known.get(node.path, (0.0, 0))
        return stamp.ctime <= changed and self._counts(when)

    @staticmethod
    def _counts(when: float) -> bool:
        return time.time() - when < _SPAN


class Undone:
    """Tells it apart while a guest that was away is looked at for the first time.

    There is one for as long as there are `rows`: an end may be lost before anything was decided. `nodes`: those that
    are from before, and nothing was decided on; until then the state must not hear of them. `removed`: as it was told.
    """

    def __init__(self, rows: Rows, removed: bytes = b"") -> None:
        self.looking = False
        self.removed = Removed(removed)
        self.nodes: set[Node] = set()
        self._rows = rows
        self._root = 0

    def begin(self, root: Stamp | None) -> None:
        """From now on what is seen may be from before. `root`: of the guest's directory."""
        self.looking = root is not None
        self._root = root.mtime if root is not None else 0

    def end(self) -> None:
        """All was seen."""
        self.looking = False

    def is_older(self, node: Node, stamp: Stamp | None) -> bool:
        """Whether what the guest has there is from before what it is known to have had."""
        known = node.guest_stamp
        if stamp is None or not self.looking:
            return False
        return stamp.ctime <= ctime(known) if known is not None else self.removed.has(node, stamp)

    def take(self, node: Node, *, older: bool) -> None:
        """What the guest has there is news: also what somebody does where something is from before."""
        if older:
            self.nodes.add(node)
        else:
            self.nodes.discard(node)

    def gone(self, parent: Node, node: Node) -> None:
        """The guest has nothing there any more: see whether its directory is from before it was put there.

        By its modification time: the other one is new as well where it was only given to somebody.
        """
        stamp = parent.stamp_on(Side.GUEST) if parent.parent is not None else None
        above = stamp.mtime if stamp is not None else self._root
        if node.guest_stamp is None or above >= ctime(node.guest_stamp):
            return
        for one in node.walk():
            if one.guest is not None:
                one.base = None
                self._rows.changed.add(one)

    def unread(self, nodes: set[Node]) -> Iterator[tuple[Side, Node]]:
        """Go through the files among these of which the digest has to be known before `decide`."""
        for node in self.nodes & nodes:
            if node.guest is not None and node.guest.kind is Kind.FILE and not node.guest.digest:
                yield Side.GUEST, node

    def decide(self, nodes: Iterable[Node]) -> set[bytes]:
        """Let what the guest has at these be what both had, where it is from before; returns where that is."""
        found = set()
        for node in self.nodes.intersection(nodes):
            self.nodes.discard(node)
            if node.base != node.guest:
                node.base = node.guest
                self._rows.changed.add(node)
                found.add(node.path)
        return found
