"""What a SyncSession knows for longer than one connection: its state, its rows, and a few facts on each side's root."""

import os
import time
from typing import Final

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.plan import Conflict, Note, Why
from devbox.sync.cycle import Left
from devbox.sync.endpoint import Identity
from devbox.sync.rows import Node, unpacked
from devbox.sync.scene import RACY, Scene
from devbox.sync.state import State, copied
from devbox.sync.undone import Undone

_NONCE: Final = "nonce"
_NEW: Final = "new"  # the first plan with a root that was not known is not done yet
_REMOVED: Final = "removed"
_NOTE, _CONFLICT = "note", "conflict"


class Memory:
    """The state and what stands in it, loaded."""

    def __init__(self, path: str) -> None:
        self.state = State(path)
        self.rows = self.state.load()
        self._facts = self.state.facts()
        self.undone = Undone(self.rows, self._facts.get(_REMOVED, b""))
        self._written = dict(self._facts)
        self.left = _read_left(self.state.conflicts())
        self._left_written = dict(self.left)
        self.saved = 0.0  # when (monotonic), and how long that took
        self.took = 0.0

    @property
    def nonce(self) -> bytes:
        """What the session leaves in both roots."""
        return self._facts.setdefault(_NONCE, os.urandom(16).hex().encode())

    def knows(self, side: Side, identity: Identity) -> bool:
        """Whether it is the root that this side had before."""
        return self._facts.get(_root(side)) == _identity(identity) and identity.nonce == self.nonce

    def meet(self, side: Side, identity: Identity) -> None:
        """Take a root as the one of this side: what was known of the side is void, and so is what both had."""
        self._facts[_root(side)] = _identity(identity)
        self.new = True
        for node in self.rows.root.walk():
            if node.parent is not None:
                node.base = None
                node.put(side, None, None)
                self.rows.changed.add(node)
        for node in reversed(list(self.rows.root.walk())):
            self.rows.touch(node)
        self.left.clear()

    @property
    def new(self) -> bool:
        """Whether a root is there that was not known, and not all that it had was looked through yet."""
        return bool(self._facts.get(_NEW))

    @new.setter
    def new(self, value: bool) -> None:
        self._facts[_NEW] = b"1" if value else b""

    def distrust(self, scene: Scene) -> None:
        """Forget digests of files that may have changed after they were read, with nothing to show it."""
        for side in Side:
            since = self._facts.get(_doubt(side), b"")
            # What was trusted by an earlier session still is; a clock that was put back dates changes before that.
            trusted = int(since) - 1 if since else int(self._facts.get(_trusted(side), b"0"))
            settled = scene.settled[side] = max(0, min(trusted, time.time_ns() - RACY))
            if since and settled < trusted:
                self._facts[_doubt(side)] = b"%d" % (settled + 1)
            for node in self.rows.root.walk() if since else ():
                stamp, entry = node.packed_on(side), node.on(side)
                if stamp is None or entry is None:
                    continue
                changed = unpacked(stamp).ctime
                scene.latest[side] = max(scene.latest[side], changed)
                if entry.kind is Kind.FILE and changed >= int(since):
                    node.put(side, Entry(Kind.FILE, executable=entry.executable), stamp)

    def settle(self, scene: Scene) -> None:
        """All is as it was two seconds ago, on the word of the watches: so what was read is what is there."""
        for side in Side:
            self._facts[_doubt(side)] = b""
            self._facts[_trusted(side)] = b"%d" % scene.latest[side]
            scene.settled[side] = scene.latest[side]

    def save(self, scene: Scene, left: dict[bytes, Left]) -> None:
        """Write what changed."""
        if self.rows.changed or self.rows.gone:
            for side in Side:
                if not self._facts.get(_doubt(side)):
                    self._facts[_doubt(side)] = b"%d" % (scene.settled[side] + 1)
        if (removed := self.undone.removed.packed()) != self._facts.get(_REMOVED, b""):
            self._facts[_REMOVED] = removed
        facts = {name: value for name, value in self._facts.items() if self._written.get(name) != value}
        differ = left != self._left_written
        unknown = {*scene.unsettled, *scene.settling, *self.undone.nodes}
        waiting = self.rows.changed & unknown
        if not (facts or differ or len(self.rows.changed) > len(waiting) or self.rows.gone):
            return
        begin = time.monotonic()
        self.rows.changed -= waiting
        self.state.save(self.rows, facts, _write_left(left) if differ else None)
        self.rows.changed |= waiting
        self._written = dict(self._facts)
        self._left_written = dict(left)
        self.saved = time.monotonic()
        self.took = self.saved - begin


def remembered(path: str, target: str) -> bool:
    """Copy the state at `path` for when the guest's disks are put back to how they are now; False if there is none.

    What both had then tells what the host has changed since. The host counts, as against a root that is not known:
    nothing that comes back in the guest is taken for something done there, so nothing of the host goes or changes.
    """
    return copied(path, target, {_NEW: b"1"})


def _root(side: Side) -> str:
    return f"{side.value} root"


def _doubt(side: Side) -> str:
    return f"{side.value} doubt"


def _trusted(side: Side) -> str:
    return f"{side.value} trusted"


def _identity(identity: Identity) -> bytes:
    """Return what a root is known by. The number of its device may be another after each mount."""
    return b"%d %d" % (identity.inode, identity.birth)


def _write_left(left: dict[bytes, Left]) -> dict[bytes, tuple[str, int]]:
    found = {}
    for path, (what, told) in left.items():
        kind = f"{_NOTE} {what.side.value}" if isinstance(what, Note) else f"{_CONFLICT} -"
        found[path] = (f"{kind} {what.why.name}", told)
    return found


def _read_left(found: dict[bytes, tuple[str, int]]) -> dict[bytes, Left]:
    left: dict[bytes, Left] = {}
    for path, (text, told) in found.items():
        kind, side, why = text.split(" ")
        if why not in Why.__members__:
            continue
        what = Note(path, Side(side), Why[why]) if kind == _NOTE else Conflict(path, Why[why], None, None)
        left[path] = Left(what, told)
    return left


def untold(left: dict[bytes, Left], node: Node) -> bool:
    """Whether nobody has said of this path that it stays only in the guest."""
    path = node.path
    while path:
        known = left.get(path)
        if known is not None and known.what.why is Why.NEW_GUEST:
            return False
        path = path.rpartition(b"/")[0]
    return True
