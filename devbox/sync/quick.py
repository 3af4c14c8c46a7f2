"""The commonest case by the shortest way: somebody saved files that both sides had, and the other side did not.

What comes of it is what `core.reconcile` says of such a path; a test compares the two.
"""

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.modes import LAWS, Way
from devbox.sync.core.plan import Action, Reason
from devbox.sync.rows import DIRECTORY, Node
from devbox.sync.scene import Scene

FEW = 32  # fresh paths; more are a matter for a plan


def edits(scene: Scene) -> list[tuple[Node, Action]]:
    """Take such edits out of what is fresh."""
    if len(scene.fresh) > FEW or scene.rules.new_guest:
        return []
    found = []
    for node in list(scene.fresh):
        side = _goes_to(scene, node)
        if side is not None:
            scene.fresh.discard(node)
            want, was = node.on(side.other), node.on(side)
            keep = side is Side.HOST and want is not None and was is not None and want.digest != was.digest
            found.append((node, Action(side, node.path, want, was, Reason.CHANGED, keep=keep)))
    return found


def _goes_to(scene: Scene, node: Node) -> Side | None:
    base, parent = node.base, node.parent
    if base is None or base.kind is not Kind.FILE or parent is None or not _usual(parent) or node in scene.undone.nodes:
        return None
    if scene.busy and any(one in scene.busy for one in node.chain):
        return None
    if node.guest == base and _edited(node.host, base):
        return Side.GUEST
    if node.host == base and _edited(node.guest, base) and LAWS[scene.rules.mode].to_host:
        return Side.HOST if scene.rules.way(node.path, node.guest) is Way.MODE else None
    return None


def _edited(entry: Entry | None, base: Entry) -> bool:
    return entry is not None and entry.kind is Kind.FILE and entry.digest != b"" and entry != base


def _usual(parent: Node) -> bool:
    """Whether the directories above are what both sides have and had."""
    node: Node | None = parent
    while node is not None:
        if not node.base == node.host == node.guest == DIRECTORY:
            return False
        node = node.parent
    return True
