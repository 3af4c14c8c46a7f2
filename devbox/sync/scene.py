"""What the parts of a SyncSession share: rows, rules, watches, and what has to be looked at. Of one thread."""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.core.here import Here
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.names import OURS, TEMPORARY, Guard, holds_git, is_name
from devbox.sync.core.reconcile import Rules
from devbox.sync.endpoint import Answer, Event, Found
from devbox.sync.inquiry import Inquiry
from devbox.sync.rows import DIRECTORY, Node, Rows, ctime, packed
from devbox.sync.troubles import Troubles
from devbox.sync.undone import Undone

_TOLD: Final = 64  # contents that wait for a cycle
_LOCK: Final = 5.0  # seconds for which git is waited for at most
RACY: Final = 2_000_000_000  # ns: what changed this shortly before a look may have changed again with the same stamp
_DOUBT: Final = 2.0  # seconds until such a file is read again
_ECHO: Final = 2.0  # seconds in which an event is taken for that of a change of ours


_NO_STAMP: Final = packed(Stamp(0, 0, 0, 0, 0))  # is never that of a look, so that the next one counts


def both(kind: type[set[bytes]]) -> dict[Side, set[bytes]]:
    """Return an empty set of paths for each side."""
    return {Side.HOST: kind(), Side.GUEST: kind()}


class Scene:
    """The common memory. `fresh`: nodes on which the three may differ; `dirty`: paths to look at, by side."""

    def __init__(self, rows: Rows, ignore: Ignore, guard: Guard, rules: Rules, undone: Undone | None = None) -> None:
        self.rows = rows
        self.ignore = ignore
        self.guard = guard
        self.rules = rules
        self.fresh: set[Node] = set()
        self.dirty = both(set)
        self.told: dict[tuple[Side, bytes], tuple[Stamp, bytes]] = {}  # what some of those are, on the end's own word
        self.rescan: set[tuple[Side, bytes]] = set()  # directories whose whole content has to be looked at
        self.busy: dict[Node, int] = {}  # nodes on which works are under way
        self.watches: dict[Side, dict[int, Node]] = {side: {} for side in Side}
        self._numbers: dict[Side, dict[Node, int]] = {side: {} for side in Side}  # of those, by node
        self.polled: dict[Side, set[Node]] = {side: set() for side in Side}
        self.holds: dict[Side, set[Node]] = {side: set() for side in Side}  # directories with names that are not synced
        self.made: dict[Side, set[Node]] = {side: set() for side in Side}  # directories of ours that nobody watches yet
        self.warnings: dict[str, str] = {}
        self.inquiry: Inquiry | None = None  # somebody looks at everything
        self.looking: set[tuple[Side, bytes]] = set()  # what a cycle looks at just now
        self.released = False  # a row is busy no more
        self.empty: set[Node] = set()  # rows that works have left with nothing on any side
        self.temps: list[tuple[Side, bytes, Stamp]] = []
        self.locks: dict[tuple[Side, bytes], float] = {}  # of git, and when they were seen first
        self.root_events: set[Side] = set()
        self.latest = dict.fromkeys(Side, 0)  # the latest change time that was seen
        self.settled = dict.fromkeys(Side, 0)  # and which of them is trusted
        self.doubts: dict[tuple[Side, Node], float] = {}  # files to be read again, and when
        self.written: dict[tuple[Side, bytes], float] = {}  # what was put there by us, and when
        self.troubles = Troubles()
        self.unsettled: dict[Node, Entry | None] = {}  # what both had before these were put on the host; see Settling
        self.settling: dict[Node, Entry | None] = {}  # those that are on their way to its disk
        self.put_first = self.put_last = 0.0
        self.undone = undone or Undone(rows)

    def here(self, node: Node) -> Here:
        """Return what is ignored in a directory."""
        return self.ignore.here(node.path)

    def never(self, parent: Node, name: bytes) -> bool:
        """Whether a name is ours, hence neither synced nor told of."""
        return name.startswith(TEMPORARY) or (parent.parent is None and name == OURS)

    def hear(self, side: Side, events: Iterable[Event]) -> None:
        """Take events: what they name is to be looked at."""
        watches, dirty = self.watches[side], self.dirty[side]
        heres: dict[int, tuple[bytes, Here]] = {}
        for event in events:
            watch, name = event.watch, event.name
            if watch == -1:
                self.rescan.add((side, b""))
                continue
            parent = watches.get(watch)
            if parent is None:
                continue
            if not name:
                self._self_event(side, parent)
                continue
            if watch not in heres:
                above = parent.path
                heres[watch] = (above + b"/" if above else b"", self.ignore.here(above))
            prefix, here = heres[watch]
            if self.never(parent, name):
                continue
            if here.ignores(name, directory=True) and here.ignores(name, directory=False):
                self.holds[side].add(parent)
                if holds_git(prefix + name):
                    dirty.add(prefix + name)
                continue
            self._take(side, prefix + name, event)

    def _take(self, side: Side, path: bytes, event: Event) -> None:
        self.dirty[side].add(path)
        if self.inquiry is not None:
            self.inquiry.told.add((side, path))
        if event.stamp is not None and len(self.told) < _TOLD:
            self.told[side, path] = (event.stamp, event.data)
        elif self.told:
            self.told.pop((side, path), None)

    def _self_event(self, side: Side, node: Node) -> None:
        if node.parent is None:
            self.root_events.add(side)
        else:  # another directory may be at its path by now, also one with the same inode, that nobody watches
            self.dirty[side].add(node.path)
            self.rescan.add((side, node.path))
            if self.inquiry is not None:
                self.inquiry.told.add((side, node.path))

    def inquire(self) -> Inquiry:
        """From now on, tell apart what was told of and what is only found."""
        told = self.looking | {(side, path) for side, paths in self.dirty.items() for path in paths}
        told |= {(one.side, one.path) for one in self.troubles} | {(side, node.path) for side, node in self.doubts}
        self.inquiry = Inquiry(told)
        return self.inquiry

    def found(self, side: Side, node: Node) -> None:
        """It is not as it was known to be."""
        if self.inquiry is not None:
            self.inquiry.news.add((side, node.path))

    def look(self, side: Side, node: Node, stamp: Stamp | None, target: bytes = b"") -> bool:
        """Take what a look showed; whether it is news, which is then fresh."""
        if stamp is not None and stamp.ctime > self.latest[side]:
            self.latest[side] = stamp.ctime
        older = side is Side.GUEST and self.undone.is_older(node, stamp)
        news = node.look(side, stamp, target)
        if news:
            if side is Side.GUEST:
                self.undone.take(node, older=older)
            self.fresh.add(node)
            self.found(side, node)
            if side is Side.GUEST or node.base is not None or node.guest is not None:  # else the next sees the same
                self.rows.changed.add(node)
        return news

    def lost(self, side: Side, node: Node) -> None:
        """Nothing is there any more on this side, nor beneath."""
        for one in node.walk():
            if one.on(side) is not None:
                one.put(side, None, None)
                self.found(side, one)
                self.fresh.add(one)
                self.rows.changed.add(one)
            self._let_go(one, side)

    def _let_go(self, node: Node, *sides: Side) -> None:
        """It is no directory on these sides any more (all, if none is named)."""
        for side in sides or Side:
            self._unwatch(side, node)
            self.polled[side].discard(node)
            self.holds[side].discard(node)
            self.made[side].discard(node)

    def emptied(self, side: Side, node: Node) -> None:
        """Nothing is beneath it any more on this side."""
        for below in list((node.children or {}).values()):
            self.lost(side, below)

    def another(self, side: Side, node: Node) -> None:
        """A directory was not there: whatever is found at its path is another one, also if it has the same inode."""
        node.put(side, node.on(side), _NO_STAMP)
        self.dirty[side].add(node.path)

    def unreadable(self, side: Side, node: Node, reason: str) -> None:
        """What is there on this side cannot be read, so it counts as of no kind that is synced."""
        node.put(side, Entry(Kind.OTHER, reason=reason), _NO_STAMP)
        self.troubles.add(node.path, side, reason)
        self.found(side, node)
        self.fresh.add(node)
        self.rows.changed.add(node)

    def listed(self, side: Side, node: Node, answer: Answer) -> list[Node]:
        """Take what is in a directory; returns the directories in it, which have to be looked at themselves."""
        here = self.here(node)
        deeper: list[Node] = []
        names = self._same(side, node, answer.same, deeper)
        may_ignore = here.may_ignore([found.name for found in answer.found])
        for name, stamp, target in answer.found:
            if side is Side.GUEST and not is_name(name):
                self.warnings["names"] = "the guest told of a name that no file can have"
                continue
            if self.never(node, name):
                if name != OURS:
                    self.temps.append((side, _joined(node, name), stamp))
                continue
            directory = stamp.mode & 0o170000 == 0o040000
            if may_ignore and here.ignores(name, directory=directory):
                self.ignored(side, node, name)
                continue
            names.add(name)
            child = self.rows.child(node, name)
            if directory:
                deeper.append(child)
            elif child.children:
                self.emptied(side, child)
            self.look(side, child, stamp, target)
        self._lost_but(side, node, names)
        return deeper

    def _lost_but(self, side: Side, node: Node, names: set[bytes]) -> None:
        """Only these names are still there."""
        if node.children and len(names) < len(node.children):
            for child in list(node.children.values()):
                if child.name not in names and child.on(side) is not None:
                    if self.undone.looking and side is Side.GUEST:
                        self.undone.gone(node, child)
                    self.lost(side, child)

    def _same(self, side: Side, node: Node, names: Sequence[bytes], deeper: list[Node]) -> set[bytes]:
        """Take names that are in a directory as they were; returns those that are synced."""
        if names and self.here(node).may_ignore(names):
            names = self._still_synced(side, node, names)
        children = node.children or {}
        latest = self.latest[side]
        there: set[bytes] = set()
        for name in names:
            child = children.get(name)
            stamp = None if child is None else child.host_stamp if side is Side.HOST else child.guest_stamp
            if child is None or stamp is None:
                self.dirty[side].add(_joined(node, name))  # it was lost since, and is there again
                continue
            if (changed := ctime(stamp)) > latest:
                latest = changed
            there.add(name)
            entry = child.host if side is Side.HOST else child.guest
            if entry is not None and entry.kind is Kind.DIRECTORY:
                deeper.append(child)
        self.latest[side] = latest
        return there

    def _still_synced(self, side: Side, node: Node, names: Sequence[bytes]) -> list[bytes]:
        """Let go of what is ignored by now."""
        here, children, kept = self.here(node), node.children or {}, []
        for name in names:
            child = children.get(name)
            if here.ignores(name, directory=child is not None and child.on(side) == DIRECTORY):
                self.ignored(side, node, name)
            else:
                kept.append(name)
        return kept

    def ignored(self, side: Side, node: Node, name: bytes) -> None:
        """A name is there that is not synced (any more)."""
        self.holds[side].add(node)
        known = (node.children or {}).get(name)
        if known is not None:
            self.forget(known)

    def forget(self, node: Node) -> None:
        """Sync this one no more: its rows go, and what is there stays on both sides as it is."""
        for one in node.walk():
            self.fresh.discard(one)
            self._let_go(one)
        if node.parent is not None:
            for side in Side:
                self.holds[side].add(node.parent)
        self.rows.forget(node)

    def watched(self, side: Side, node: Node, number: int) -> None:
        """Remember by which number the events of a directory come; without one it is looked at again and again."""
        if number > 0:
            if self._numbers[side].get(node) != number:
                self._unwatch(side, node)
            self.watches[side][number] = node
            self._numbers[side][node] = number
            self.polled[side].discard(node)
        elif number < 0:
            self.polled[side].add(node)

    def _unwatch(self, side: Side, node: Node) -> None:
        """Forget by which number the events of a directory came: it is another's by now, or nobody's."""
        number = self._numbers[side].pop(node, 0)
        if self.watches[side].get(number) is node:
            del self.watches[side][number]

    def watch_made(self) -> None:
        """Have the directories looked at that were made by us, now that what belongs into them is there."""
        for side, nodes in self.made.items():
            self.rescan |= {(side, node.path) for node in nodes if node.parent not in nodes}
            nodes.clear()

    def wrote(self, side: Side, path: bytes) -> None:
        """An event will come for what was done there just now."""
        if len(self.written) > 4096:
            self.written.clear()
        self.written[side, path] = time.monotonic()

    def put_on_host(self, node: Node) -> None:
        """A file is about to be known as what both have, and is not on the disk of the host yet."""
        self.put_last = time.monotonic()
        if not self.unsettled:
            self.put_first = self.put_last
        self.unsettled.setdefault(node, node.base)

    def is_echo(self, side: Side, path: bytes) -> bool:
        """Whether an event is likely that of a change of ours, so that a look at its stamp is enough."""
        when = self.written.get((side, path))
        return when is not None and time.monotonic() - when < _ECHO

    def doubt(self, side: Side, node: Node) -> None:
        """An event came for a file whose stamp is as it was: read it again if it may have changed all the same."""
        stamp = node.stamp_on(side)
        entry = node.on(side)
        if stamp is None or entry is None or entry.kind is not Kind.FILE:
            return
        if stamp.ctime >= self.latest[side] - RACY:
            self.doubts.pop((side, node), None)  # so that they stand in the order of their times
            self.doubts[side, node] = time.monotonic() + _DOUBT

    def hold(self, node: Node) -> None:
        """A work on this one begins."""
        self.busy[node] = self.busy.get(node, 0) + 1

    def release(self, node: Node) -> None:
        """A work on this one has ended."""
        left = self.busy[node] - 1
        if left:
            self.busy[node] = left
        else:
            del self.busy[node]
            self.released = True
            if node.empty:
                self.empty.add(node)

    def forget_empty(self) -> None:
        """Know nothing any more of what works have left empty on both sides."""
        while self.empty:
            self.touch(self.empty.pop())

    def touch(self, node: Node) -> None:
        """Let the state hear of this one; if nothing is there on any side any more, nothing is known of it."""
        for gone in self.rows.touch(node, self.busy):
            self.fresh.discard(gone)
            self._let_go(gone)
            if len(self.troubles):
                self.troubles.solved(gone.path)

    @property
    def locked_until(self) -> float:
        """Until when to wait for git, unless its locks go before."""
        return max(self.locks.values(), default=0.0) + _LOCK if self.locks else 0.0

    @property
    def lock_dirty(self) -> bool:
        """Whether something happened to a lock of git."""
        return any(holds_git(path) for paths in self.dirty.values() for path in paths)

    def attached(self, node: Node) -> bool:
        """Whether it is still one of the rows."""
        while node.parent is not None:
            if (node.parent.children or {}).get(node.name) is not node:
                return False
            node = node.parent
        return True

    def unsynced(self, node: Node, found: Found) -> bool:
        """Whether this name in a directory is not synced, and not ours either."""
        directory = found.stamp.mode & 0o170000 == 0o040000
        return not self.never(node, found.name) and self.here(node).ignores(found.name, directory=directory)


def _joined(node: Node, name: bytes) -> bytes:
    return node.path + b"/" + name if node.parent else name
