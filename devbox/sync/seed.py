"""The commonest thing at first: many files of the host where the guest has nothing. In batches, without a plan.

What comes of it is what `core.reconcile` says of such paths; a test compares the two. Whatever does not go as it
should is left to a plan, which knows what to say of it.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, Protocol

from devbox.sync.core.entry import Entry, Kind, Side, size_of
from devbox.sync.core.plan import Action, Reason
from devbox.sync.endpoint import SMALL, Answer, Code, Gather, MakeDirectory, Plant, Seed
from devbox.sync.pump import Rank, Work, one
from devbox.sync.rows import DIRECTORY, Node, ctime, packed
from devbox.sync.scene import Scene
from devbox.sync.transfer import Counters

MANY: Final = 64  # fresh paths; with fewer a plan is as good
_BYTES: Final = 192 * 1024  # of a batch
_FILES: Final = 256
_SHOWN: Final = Struct("<I8xq16x")  # what of a packed Stamp goes with a file: mode, and modification time

Changed = Callable[[list[Action]], None]
_Group = dict[Node, list[Node]]


class Starts(Protocol):
    """What a Pump does for it."""

    def start(self, work: Work[None], rank: Rank = Rank.NOW, weight: int = 0) -> None:
        """Do this when its turn comes."""


class Seeds:
    """Takes what is plainly new out of what is fresh. `on_changed`: gets what was done, as actions."""

    def __init__(self, scene: Scene, pump: Starts, counters: Counters) -> None:
        self._scene = scene
        self._pump = pump
        self._counters = counters
        self._failed: set[Node] = set()  # a matter for a plan
        self.on_changed: Changed | None = None

    def begin(self) -> set[Node]:
        """Begin with all that can be done so; returns what it is."""
        fresh = self._scene.fresh
        new = self._new() if len(fresh) >= MANY else {}
        taken: set[Node] = set()
        busy = self._scene.busy
        for parent in [node for node in new if node.host == DIRECTORY == node.guest]:
            if not busy or not any(node in busy for node in parent.chain):
                below = _reached(parent, new)
                for nodes in below.values():
                    taken.update(nodes)
                self._start(parent, below)
        fresh -= taken
        self._failed &= fresh
        return taken

    def _new(self) -> _Group:
        """Return what is plainly new, by its directory; nothing where something goes, for that may be what comes."""
        found: _Group = {}
        failed, busy = self._failed, self._scene.busy
        for node in self._scene.fresh:
            if node.base is not None:
                if node.host is None or node.guest is None:
                    return {}
            elif node.host is not None and node.guest is None and node not in failed and node not in busy:
                parent = node.parent
                if parent is not None and _can_be_sent(node.host.kind, node):
                    found.setdefault(parent, []).append(node)
        return found

    def _start(self, parent: Node, below: _Group) -> None:
        nodes = below[parent]
        for node in nodes:
            self._scene.hold(node)
        directories = [node for node in nodes if _is_directory(node)]
        files = [node for node in nodes if not _is_directory(node)] if directories else nodes
        for batch, weight in _batches(files):
            self._pump.start(self._files(parent, batch), Rank.SOON, weight)
        for node in directories:
            self._pump.start(self._directory(node, below), Rank.SOON)

    def _directory(self, node: Node, below: _Group) -> Work[None]:
        answer = yield from one(Side.GUEST, MakeDirectory(node.path))
        scene = self._scene
        scene.release(node)
        scene.told.pop((Side.GUEST, node.path), None)  # it may be from before
        if answer.code is not Code.DONE or answer.stamp is None or not scene.attached(node):
            self._leave([node, *(one for nodes in _reached(node, below).values() for one in nodes)])
            return
        node.guest, node.guest_stamp = DIRECTORY, packed(answer.stamp)
        node.agree(DIRECTORY)
        scene.latest[Side.GUEST] = max(scene.latest[Side.GUEST], answer.stamp.ctime)
        scene.made[Side.GUEST].add(node)
        scene.rows.changed.add(node)
        if not node.agreed:
            scene.fresh.add(node)
        self._tell([(node, DIRECTORY)])
        if node in below:
            self._start(node, below)

    def _leave(self, nodes: list[Node]) -> None:
        self._failed.update(nodes)
        self._scene.fresh.update(node for node in nodes if self._scene.attached(node))

    def _files(self, parent: Node, nodes: list[Node]) -> Work[None]:
        path = parent.path
        try:
            wanted = tuple([(node.name, node.host_stamp) for node in nodes if node.host_stamp])
            if len(wanted) != len(nodes):
                self._leave(nodes)
                return
            read = yield from one(Side.HOST, Gather(path, wanted))
            contents = read.contents or (None,) * len(nodes)
            coming, seeds, entries = [], [], []
            for node, (name, stamp), found in zip(nodes, wanted, contents, strict=True):
                if found is None:
                    self._leave([node])
                    continue
                data, digest = found
                mode, mtime = _SHOWN.unpack(stamp)
                executable = mode & 0o100 != 0
                seeds.append(Seed(name, data, digest, executable, mtime))
                entries.append(Entry(Kind.FILE, digest, executable))
                coming.append((node, stamp))
            del contents, read
            if seeds:
                answer = yield from one(Side.GUEST, Plant(path, tuple(seeds)))
                self._planted(coming, entries, answer)
        finally:
            for node in nodes:
                self._scene.release(node)

    def _planted(self, coming: list[tuple[Node, bytes]], entries: list[Entry], answer: Answer) -> None:
        scene, latest = self._scene, self._scene.latest[Side.GUEST]
        done: list[tuple[Node, Entry]] = []
        parent = coming[0][0].parent
        there = (parent.children if parent is not None and scene.attached(parent) else None) or {}
        stamps = answer.stamps or (None,) * len(coming)
        for (node, sent), entry, stamp in zip(coming, entries, stamps, strict=True):
            if scene.told:
                scene.told.pop((Side.GUEST, node.path), None)  # it may be from before
            if there.get(node.name) is not node:
                continue  # it is not synced any more
            if stamp is None:
                self._leave([node])
                continue
            node.base = node.guest = entry
            node.guest_stamp = stamp
            latest = max(latest, ctime(stamp))
            self._counters.bytes += size_of(stamp)
            if node.host_stamp == sent:
                node.host = entry
            elif node.host != entry:
                scene.fresh.add(node)
            done.append((node, entry))
        scene.latest[Side.GUEST] = latest
        scene.rows.changed.update([node for node, _ in done])
        self._counters.files += len(done)
        self._tell(done)

    def _tell(self, done: list[tuple[Node, Entry]]) -> None:
        if len(self._scene.troubles):
            for node, _ in done:
                self._scene.troubles.solved(node.path)
        if self.on_changed is not None:
            self.on_changed([Action(Side.GUEST, node.path, entry, None, Reason.CHANGED) for node, entry in done])


def _can_be_sent(kind: Kind, node: Node) -> bool:
    return kind is Kind.DIRECTORY or (kind is Kind.FILE and _size(node) <= SMALL)


def _is_directory(node: Node) -> bool:
    return node.host is not None and node.host.kind is Kind.DIRECTORY


def _size(node: Node) -> int:
    """Return how long its file is."""
    return size_of(node.host_stamp) if node.host_stamp else 0


def _reached(parent: Node, new: _Group) -> _Group:
    """Return what is new in a directory and in those that are new in it, and so on."""
    found: _Group = {}
    waiting = [parent]
    while waiting:
        node = waiting.pop()
        if node in new:
            found[node] = new[node]
            waiting.extend(child for child in new[node] if _is_directory(child))
    return found


def _batches(nodes: list[Node]) -> Iterator[tuple[list[Node], int]]:
    """Part them; with how many bytes are in each."""
    batch: list[Node] = []
    size = 0
    for node in nodes:
        more = _size(node)
        if batch and (size + more > _BYTES or len(batch) == _FILES):
            yield batch, size
            batch, size = [], 0
        batch.append(node)
        size += more
    if batch:
        yield batch, size
