"""What a SyncSession knows of each path, in memory: what both sides had last, what each side has now. Hot: small.

A hundred thousand of these have to fit into 55 MB, so a Node has slots, its stamps are packed, and an Entry that
both sides share is one object.
"""

import hashlib
import struct
from collections.abc import Container, Iterator
from typing import Final

from devbox.sync.core.entry import PACKED, Entry, Kind, Side, Stamp

_CTIME: Final = struct.Struct("<20xq8x")
_FORMAT: Final = 0o170000
_KINDS: Final = {0o040000: Kind.DIRECTORY, 0o100000: Kind.FILE, 0o120000: Kind.LINK}
_OTHERS: Final = {0o010000: "fifo", 0o020000: "device", 0o060000: "device", 0o140000: "socket"}
DIRECTORY: Final = Entry(Kind.DIRECTORY)
_UNREAD: Final = (Entry(Kind.FILE), Entry(Kind.FILE, executable=True))


def packed(stamp: Stamp) -> bytes:
    """Return `stamp` in 36 bytes."""
    return PACKED.pack(*stamp)


def unpacked(data: bytes) -> Stamp:
    """Return the Stamp of these 36 bytes."""
    return Stamp._make(PACKED.unpack(data))


def inode(data: bytes | None) -> int:
    """Return the inode of a packed Stamp, 0 of none."""
    return int.from_bytes(data[-8:], "little") if data else 0


def ctime(data: bytes) -> int:
    """Return the change time of a packed Stamp."""
    found: int = _CTIME.unpack(data)[0]
    return found


def digest_of(content: bytes) -> bytes:
    """Return the digest by which a content is known."""
    return hashlib.blake2b(content, digest_size=32).digest()


def seen(stamp: Stamp, target: bytes) -> Entry:
    """Return the Entry that a look shows; a file's digest is not known by it."""
    kind = _KINDS.get(stamp.mode & _FORMAT)
    if kind is Kind.FILE:
        return _UNREAD[stamp.mode >> 6 & 1]
    if kind is Kind.DIRECTORY:
        return DIRECTORY
    if kind is Kind.LINK:
        return Entry(Kind.LINK, target=target)
    return Entry(Kind.OTHER, reason=_OTHERS.get(stamp.mode & _FORMAT, "unknown"))


class Node:
    """One path. `base`: what both sides had at the same time (the ancestor); `host`, `guest`: what they have now.

    A stamp (packed) is there exactly where the side has something.
    """

    __slots__ = ("base", "children", "guest", "guest_stamp", "host", "host_stamp", "name", "parent")

    def __init__(self, name: bytes, parent: "Node | None") -> None:
        self.name = name
        self.parent = parent
        self.children: dict[bytes, Node] | None = None
        self.base: Entry | None = None
        self.host: Entry | None = None
        self.guest: Entry | None = None
        self.host_stamp: bytes | None = None
        self.guest_stamp: bytes | None = None

    @property
    def path(self) -> bytes:
        """Where it is."""
        names = []
        node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return b"/".join(reversed(names))

    @property
    def chain(self) -> "Iterator[Node]":
        """Itself, and then what is above it, up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    @property
    def empty(self) -> bool:
        """Whether there is nothing on any side, and was nothing."""
        return self.base is None and self.host is None and self.guest is None

    @property
    def agreed(self) -> bool:
        """Whether both sides have what they both had."""
        return self.host == self.base == self.guest

    def on(self, side: Side) -> Entry | None:
        """What this side has."""
        return self.host if side is Side.HOST else self.guest

    def packed_on(self, side: Side) -> bytes | None:
        """The packed Stamp of what this side has."""
        return self.host_stamp if side is Side.HOST else self.guest_stamp

    def stamp_on(self, side: Side) -> Stamp | None:
        """The Stamp of what this side has."""
        data = self.packed_on(side)
        return None if data is None else unpacked(data)

    def stamps_beneath(self, side: Side) -> dict[bytes, bytes | None]:
        """The packed Stamps of what this side has in it, by name."""
        if self.children is None:
            return {}
        if side is Side.HOST:
            return {name: child.host_stamp for name, child in self.children.items()}
        return {name: child.guest_stamp for name, child in self.children.items()}

    def put(self, side: Side, entry: Entry | None, stamp: bytes | None) -> None:
        """Let this side have something else."""
        if side is Side.HOST:
            self.host, self.host_stamp = entry, stamp
        else:
            self.guest, self.guest_stamp = entry, stamp

    def look(self, side: Side, stamp: Stamp | None, target: bytes = b"") -> bool:
        """Take what a look at this side showed; whether that is news."""
        if stamp is None:
            known = self.on(side) is not None
            self.put(side, None, None)
            return known
        data = packed(stamp)
        if data == self.packed_on(side):
            return False
        before, now = self.on(side), seen(stamp, target)
        if before == now and now.kind is not Kind.FILE:
            self.put(side, before, data)  # the times of a directory mean nothing
            return False
        self.put(side, now, data)
        return True

    def learn(self, side: Side, digest: bytes) -> None:
        """The digest of what this side has is this; an equal Entry of the other side or of before is shared."""
        have = self.on(side)
        if have is None:
            return
        entry = have._replace(digest=digest)
        for other in (self.base, self.on(side.other)):
            if other == entry:
                entry = other
                break
        self.put(side, entry, self.packed_on(side))

    def agree(self, entry: Entry | None) -> None:
        """Both sides have had `entry` at the same time; each that has it still shares the object."""
        self.base = entry
        if self.host == entry:
            self.host = entry
        if self.guest == entry:
            self.guest = entry

    def walk(self) -> Iterator["Node"]:
        """Go through this one and all below it, parents first."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if node.children:
                waiting.extend(node.children.values())


class Rows:
    """All paths of a SyncSession, as a tree. `changed`: those that the state does not have yet as they are."""

    def __init__(self) -> None:
        self.root = Node(b"", None)
        self.root.base = self.root.host = self.root.guest = DIRECTORY
        self.changed: set[Node] = set()
        self.gone: set[bytes] = set()  # paths that the state has still
        self.count = 0

    def find(self, path: bytes) -> Node | None:
        """Return what is known of `path`."""
        node: Node | None = self.root
        if path:
            for name in path.split(b"/"):
                if node is None or node.children is None:
                    return None
                node = node.children.get(name)
        return node

    def need(self, path: bytes) -> Node:
        """Return the node of `path`, made if there is none."""
        node = self.root
        if path:
            for name in path.split(b"/"):
                node = self.child(node, name)
        return node

    def child(self, parent: Node, name: bytes) -> Node:
        """Return the node of `name` in `parent`, made if there is none."""
        if parent.children is None:
            parent.children = {}
        node = parent.children.get(name)
        if node is None:
            node = parent.children[name] = Node(name, parent)
            self.count += 1
        return node

    @property
    def agreed(self) -> int:
        """How many files and links both sides have had at the same time."""
        found = 0
        waiting = [self.root.children]
        while waiting:
            for node in (waiting.pop() or {}).values():
                base = node.base
                if base is not None and base.kind is not Kind.DIRECTORY:
                    found += 1
                if node.children:
                    waiting.append(node.children)
        return found

    def touch(self, node: Node, busy: Container[Node] = ()) -> list[Node]:
        """Let the state hear of this one, and forget it here if nothing is there on any side, and so what is above it.

        Returns what is forgotten: none of the `busy` ones, on which somebody works still.
        """
        self.changed.add(node)
        gone: list[Node] = []
        while node.parent is not None and node.empty and not node.children and node not in busy:
            parent = node.parent
            if parent.children is None or parent.children.get(node.name) is not node:
                self.changed.discard(node)
                break
            gone.append(node)
            self.gone.add(node.path)
            self.changed.discard(node)
            del parent.children[node.name]
            parent.children = parent.children or None
            self.count -= 1
            node = parent
        return gone

    def forget(self, node: Node) -> None:
        """Know nothing of this one and of all below it any more: it is not synced."""
        for one in reversed(list(node.walk())):
            if one.parent is not None:
                one.base = None
                one.put(Side.HOST, None, None)
                one.put(Side.GUEST, None, None)
                self.touch(one)
