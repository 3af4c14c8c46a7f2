"""The three-way tree that is reconciled: of all rows only those which may differ, and what belongs to them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from devbox.sync.core import plan
from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.names import fold as folded
from devbox.sync.rows import DIRECTORY, Node
from devbox.sync.scene import Scene


class Three:
    """Some rows: those that are fresh, all above them, and all beneath a path that is not a directory on all three.

    What a work is under way on, or something beneath it that it depends on, is left for later: it stays fresh.
    `more`: there is another slice, and this one was not for nothing.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.nodes: set[Node] = set()
        self._below: dict[Node, list[Node]] = {}
        self._whole: set[Node] = set()
        self.unsettled: set[Node] = set()  # of which a digest could not be had, so that nothing is decided on them
        busy_above = _above(scene.busy)
        # So many new paths at once are taken in slices: what a plan of all would need is more than the rows have.
        self._sliced = len(scene.fresh) > SLICE and all(node.base is None for node in scene.fresh)
        before = len(scene.fresh)
        for node in list(islice(scene.fresh, SLICE)) if self._sliced else list(scene.fresh):
            if node.agreed and not _torn(node) and not node.children:
                scene.fresh.discard(node)
                self._include(node)
                continue
            self._choose(node, busy_above)
        scene.fresh -= self.nodes
        self.more = self._sliced and 0 < len(scene.fresh) < before

    def _choose(self, node: Node, busy_above: set[Node]) -> None:
        chain = [*node.chain][::-1]
        if any(one in self._scene.busy for one in chain):
            return
        torn = next((one for one in chain if _torn(one)), None)
        if torn is None:
            self._include(node)
        elif self._sliced and torn.host == DIRECTORY and torn.guest is None:
            self._include(torn)  # only the directory, which is new; what is in it when it is there
        elif torn not in self._whole and torn not in busy_above:
            self._whole.add(torn)
            for one in torn.walk():
                self._include(one)

    def _include(self, node: Node) -> None:
        while node not in self.nodes:
            self.nodes.add(node)
            if node.parent is None:
                return
            self._below.setdefault(node.parent, []).append(node)
            node = node.parent

    def unknown(self) -> Iterator[tuple[Side, Node]]:
        """Go through the files of which the digest has to be known."""
        for node in self.nodes:
            for side in _unknown(node):
                yield side, node

    def tree(self) -> plan.Node:
        """Return the tree as the reconciler takes it."""
        scene = self._scene
        made: dict[Node, plan.Node] = {scene.rows.root: self._made(scene.rows.root)}
        waiting = [scene.rows.root]
        while waiting:
            node = waiting.pop()
            for child in self._children(node):
                made[child] = made[node].add(child.name, self._made(child))
                waiting.append(child)
        return made[scene.rows.root]

    def _children(self, node: Node) -> Iterable[Node]:
        below = self._below.get(node, [])
        if not self._scene.rules.fold or not below or not node.children:
            return below
        wanted = {folded(child.name) for child in below}
        return [child for child in node.children.values() if folded(child.name) in wanted]

    def _made(self, node: Node) -> plan.Node:
        holds = self._scene.holds
        host, guest = node.host, node.guest
        for side in _unknown(node):
            self.unsettled.add(node)
            # Whatever it is, it is not what anybody else has: so nothing above it goes.
            host = _CHANGING if side is Side.HOST else host
            guest = _CHANGED if side is Side.GUEST else guest
        return plan.Node(
            node.base,
            host,
            guest,
            host_holds=node in holds[Side.HOST],
            guest_holds=node in holds[Side.GUEST],
        )


SLICE: Final = 8192
_CHANGING: Final = Entry(Kind.FILE, digest=b"host")
_CHANGED: Final = Entry(Kind.FILE, digest=b"guest")


def _unknown(node: Node) -> list[Side]:
    """Return the sides whose file's digest has to be known, and is not."""
    files = [entry for entry in (node.base, node.host, node.guest) if entry is not None and entry.kind is Kind.FILE]
    if len(files) < 2 or all(entry.digest for entry in files):
        return []
    sides = [side for side in Side if _is_file(entry := node.on(side)) and entry is not None and not entry.digest]
    return [] if len(sides) == 1 and _sizes_differ(node) else sides


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.FILE


def _torn(node: Node) -> bool:
    """Whether all beneath it counts: it is not a directory on all three."""
    return bool(node.children) and not node.base == node.host == node.guest == DIRECTORY


def _sizes_differ(node: Node) -> bool:
    """Whether one side has what both had, and the other has something else for sure."""
    if node.base not in (node.host, node.guest):
        return False
    host, guest = node.stamp_on(Side.HOST), node.stamp_on(Side.GUEST)
    return host is not None and guest is not None and host.size != guest.size


def _above(nodes: Iterable[Node]) -> set[Node]:
    found: set[Node] = set()
    for node in nodes:
        one: Node | None = node
        while one is not None and one not in found:
            found.add(one)
            one = one.parent
    return found
