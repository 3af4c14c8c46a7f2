"""Trees as nested dicts, three of them as one Node, and a plan carried out on two of them.

A leaf is a word: "a" a file with this content, "a*" an executable one, "->x" a link, "!" what is neither. A directory
with the name "~" holds something that is not synced.
"""

import pytest

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.modes import Mode
from devbox.sync.core.plan import Action, Node, Plan

Tree = dict[str, "Tree | str"]
Value = Tree | str | None
# For what is tried exhaustively in each mode: make check does it in the one that most people have.
MODES = [pytest.param(mode, marks=[pytest.mark.long] if mode is not Mode.TWO_WAY else []) for mode in Mode]


def entry(value: Value) -> Entry | None:
    match value:
        case None:
            return None
        case dict():
            return Entry(Kind.DIRECTORY)
        case "!":
            return Entry(Kind.OTHER, reason="a pipe")
        case _ if value.startswith("->"):
            return Entry(Kind.LINK, target=value[2:].encode())
        case _:
            return Entry(Kind.FILE, digest=value.rstrip("*").encode(), executable=value.endswith("*"))


def value(of: Entry) -> Tree | str:
    match of.kind:
        case Kind.DIRECTORY:
            return {}
        case Kind.LINK:
            return "->" + of.target.decode()
        case Kind.FILE:
            return of.digest.decode() + ("*" if of.executable else "")
        case Kind.OTHER:
            raise AssertionError("nobody makes one of these")


def node(ancestor: Value, host: Value, guest: Value) -> Node:
    three = [side if isinstance(side, dict) else {} for side in (ancestor, host, guest)]
    made = Node(entry(ancestor), entry(host), entry(guest), host_holds="~" in three[1], guest_holds="~" in three[2])
    for name in dict.fromkeys(name for side in three for name in side if name != "~"):
        made.add(name.encode(), node(*(side.get(name) for side in three)))
    return made


def synced(tree: Value) -> Value:
    """The tree without what is not synced."""
    if isinstance(tree, dict):
        return {name: synced(child) for name, child in tree.items() if name != "~"}
    return tree


def copied(tree: Tree) -> Tree:
    return {name: copied(child) if isinstance(child, dict) else child for name, child in tree.items()}


def at(tree: Tree, path: str) -> Value:
    found: Value = tree
    for name in path.split("/") if path else ():
        found = found.get(name) if isinstance(found, dict) else None
    return found


class World:
    """Two trees, what both last agreed on, and what went to the trash of each."""

    def __init__(self, ancestor: Tree, host: Tree, guest: Tree) -> None:
        self.ancestor = copied(ancestor)
        self.trees = {Side.HOST: copied(host), Side.GUEST: copied(guest)}
        self.trash: set[tuple[Side, str, str]] = set()

    @property
    def host(self) -> Tree:
        return self.trees[Side.HOST]

    @property
    def guest(self) -> Tree:
        return self.trees[Side.GUEST]

    def node(self) -> Node:
        return node(self.ancestor, self.host, self.guest)

    def apply(self, plan: Plan) -> None:
        """Do what it says, and fail where an honest side would refuse."""
        for path, agreed in plan.ancestor:
            self._agree(path.decode(), agreed)
        for action in plan.actions:
            self._do(action)
            if entry(at(self.trees[action.side.other], action.path.decode())) == action.want:
                self._agree(action.path.decode(), action.want)

    def _agree(self, path: str, agreed: Entry | None) -> None:
        if path:
            self._put(self.ancestor, path, agreed)

    def _put(self, tree: Tree, path: str, wanted: Entry | None) -> None:
        above, _, name = path.rpartition("/")
        directory = at(tree, above)
        if wanted is None and not isinstance(directory, dict):
            return  # went with its directory
        assert isinstance(directory, dict), f"{path} has no directory to be in"
        if wanted is None:
            directory.pop(name, None)
        elif not (wanted.kind is Kind.DIRECTORY and isinstance(directory.get(name), dict)):
            directory[name] = value(wanted)

    def _do(self, action: Action) -> None:
        path, tree = action.path.decode(), self.trees[action.side]
        there = at(tree, path)
        assert entry(there) == action.was, f"{path} is another than expected"
        assert action.want != action.was
        if isinstance(there, dict):
            assert not there, f"{path} is not empty"
            assert action.want is None
        elif action.want is not None and action.want.kind is Kind.DIRECTORY:
            assert there is None
        if action.keep:
            assert isinstance(there, str)
            self.trash.add((action.side, path, there.rstrip("*")))
        if action.want is not None and action.want.kind is Kind.FILE:
            self._has_content(action)
        above = at(tree, path.rpartition("/")[0])
        assert isinstance(above, dict), f"{path} has no directory to be in"
        self._put(tree, path, action.want)

    def _has_content(self, action: Action) -> None:
        assert action.want
        sides = [entry(at(tree, action.path.decode())) for tree in self.trees.values()]
        assert action.want.digest in [one.digest for one in sides if one], "content that nobody has"
