"""Looks at whole trees and at single paths, on both sides at once.

A directory is asked for its names breadth-first. The host is one level ahead of the guest, because its ignore files
say what of the guest's names counts.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from devbox.sync.bulk import DELTA, hashed
from devbox.sync.contents import Contents
from devbox.sync.core.entry import Kind, Side, Stamp
from devbox.sync.core.ignore import FILES
from devbox.sync.core.names import holds_git
from devbox.sync.endpoint import SMALL, Answer, Code, Content, Hash, List, Read, Stat
from devbox.sync.pump import Ask, Work
from devbox.sync.rows import DIRECTORY, Node, digest_of, inode, packed, seen
from devbox.sync.ruling import Ruling
from devbox.sync.scene import Scene
from devbox.sync.troubles import CHANGING

_READ_ALONG: Final = 64  # files that one look reads at once
_EMPTY: Final = 2  # looks after which a file that was not empty is believed to be: a third of a second
_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Survey:
    """Looks for a Scene.

    `contents`: what was read along with a look, for whoever sends it on. `on_listed`: called after each directory.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._ruling = Ruling(scene)
        self.contents = Contents()
        self.on_listed: Callable[[], None] | None = None

    def scan(self, tops: dict[Side, list[Node]]) -> Work[None]:
        """Look at everything in these directories."""
        host, guest = tops.get(Side.HOST, []), tops.get(Side.GUEST, [])
        whole = set(guest)
        behind: list[Node] = []
        while host or guest or behind:
            held: dict[Node, list[bytes]] = {}
            host_next: list[Node] = []
            guest_next: list[Node] = []
            asks = [self._list(Side.HOST, node, host_next, held) for node in host]
            asks += [self._list(Side.GUEST, node, guest_next) for node in behind]
            yield asks
            if held:
                yield from self._rules(held, host_next)
                guest += [node for node in held if node.guest == DIRECTORY and whole.isdisjoint(node.chain)]
            behind = guest + guest_next if guest else guest_next
            host, guest = host_next, []

    def _list(self, side: Side, node: Node, deeper: list[Node], held: dict[Node, list[bytes]] | None = None) -> Ask:
        take = partial(self._take_list, side, node, deeper, held)
        known = node.stamps_beneath(side)
        return Ask(side, List(node.path, watch=True, known=known, contents=True), take)

    def _take_list(
        self, side: Side, node: Node, deeper: list[Node], held: dict[Node, list[bytes]] | None, answer: Answer
    ) -> None:
        """Take what is in a directory; with `held`, only if it is known what of it is ignored."""
        scene = self._scene
        if not scene.attached(node):
            return
        if answer.code is Code.DONE:
            scene.watched(side, node, answer.watch)
            if held is not None and (unread := self._ruling.unread(node, answer)):
                held[node] = unread
            elif not self._ruling.sealed(node.path):
                scene.holds[side].discard(node)
                deeper.extend(scene.listed(side, node, answer))
                if self.on_listed is not None:
                    self.on_listed()
        elif answer.code is Code.FAILED and node.on(side) is not None and node.parent is not None:
            self._unlistable(side, node, answer)

    def _unlistable(self, side: Side, node: Node, answer: Answer) -> None:
        """It has gone, which its parent's events tell; or it may not be read."""
        scene = self._scene
        scene.emptied(side, node)
        if answer.errno in _ABSENT:
            scene.another(side, node)
        else:
            scene.unreadable(side, node, os.strerror(answer.errno))

    def _rules(self, held: dict[Node, list[bytes]], deeper: list[Node]) -> Work[None]:
        """Read the ignore files of these directories of the host, and then look at their names anew.

        What was seen of them before is old by now: of what we did meanwhile it would be taken for undone.
        """
        yield from self._ruling.read(path for paths in held.values() for path in paths)
        yield [self._list(Side.HOST, node, deeper) for node in held if self._scene.attached(node)]

    def look(self, paths: dict[Side, set[bytes]]) -> Work[dict[Side, list[Node]]]:
        """Look at these paths; returns the directories in which everything has to be looked at."""
        tops: dict[Side, list[Node]] = {Side.HOST: [], Side.GUEST: []}
        stats: list[Ask] = []
        left = _READ_ALONG
        asks: list[Ask] = []
        rules = [path for path in paths.get(Side.HOST, ()) if path.rpartition(b"/")[2] in FILES]
        if rules:
            self._changed_rules((yield from self._ruling.read(rules)), tops)
        told, self._scene.told = self._scene.told, {}
        for side, some in paths.items():
            for path in some:
                if (known := told.get((side, path))) is not None:
                    if not rules and self._take_edit(side, path, *known):
                        continue
                    answer = Answer(Code.DONE, 0, *known)
                    self._take_read(side, path, tops, stats, Ask(side, Stat(path)), answer)
                    continue
                reading = left > 0 and self._likely_small(side, path)
                left -= reading
                stat = Ask(side, Stat(path), partial(self._take_stat, side, path, tops))
                take = partial(self._take_read, side, path, tops, stats, stat)
                asks.append(Ask(side, Read(path, None, 0, SMALL), take) if reading else stat)
        if asks:  # an edit that was told of with its content asks for nothing
            yield asks
        if stats:
            yield stats
        return tops

    def _likely_small(self, side: Side, path: bytes) -> bool:
        """Whether to read it at once, which is a look as well."""
        if self._scene.is_echo(side, path):
            return False
        node = self._scene.rows.find(path)
        if node is None:
            return True
        stamp, entry = node.stamp_on(side), node.on(side)
        return stamp is None or (entry is not None and entry.kind is Kind.FILE and stamp.size <= SMALL)

    def _take_read(
        self, side: Side, path: bytes, tops: dict[Side, list[Node]], stats: list[Ask], stat: Ask, answer: Answer
    ) -> None:
        stamp = answer.stamp
        if answer.code is not Code.DONE or stamp is None:
            if answer.code is Code.CHANGED and stamp is None:  # there is nothing, as a second look would say
                self._take_stat(side, path, tops, answer)
            else:
                stats.append(stat)
            return
        if not stamp.size and self._just_emptied(side, path):
            return
        node = self._taken(side, path, stamp, b"", tops)
        if node is not None and stamp.size == len(answer.data):
            digest = digest_of(answer.data)
            self.digested(side, node, stamp, digest)
            self.contents.put(side, node, stamp, Content(answer.data, digest))

    def _take_edit(self, side: Side, path: bytes, stamp: Stamp, data: bytes) -> bool:
        """Take the commonest of all that is told: new content of a file that is synced; whether it was that.

        Whoever heard of it has seen that its name is not ignored, and the rules are those of then. What comes of it is
        what `_take_read` does; a test compares the two.
        """
        scene = self._scene
        node = scene.rows.find(path)
        if node is None or not data or stamp.size != len(data) or not stat.S_ISREG(stamp.mode):
            return False
        was, base, above = node.on(side), node.base, node.parent
        if was is None or base is None or above is None or not was.kind is base.kind is Kind.FILE or holds_git(path):
            return False
        new = packed(stamp)
        if new == node.packed_on(side) or above.on(side) != DIRECTORY or self._ruling.sealed(path.rpartition(b"/")[0]):
            return False
        if stamp.ctime > scene.latest[side]:
            scene.latest[side] = stamp.ctime
        node.put(side, seen(stamp, b""), new)
        if side is Side.GUEST:
            scene.undone.take(node, older=False)
        digest = digest_of(data)
        node.learn(side, digest)
        scene.found(side, node)
        scene.fresh.add(node)
        scene.rows.changed.add(node)
        self.contents.put(side, node, stamp, Content(data, digest))
        return True

    def _just_emptied(self, side: Side, path: bytes) -> bool:
        """Whether a file that was not empty is so since a moment: most likely somebody is about to write into it."""
        scene = self._scene
        node = scene.rows.find(path)
        known = node.stamp_on(side) if node is not None else None
        if known is None or not known.size or not stat.S_ISREG(known.mode):
            return False
        if scene.troubles.changing(path) >= _EMPTY:
            scene.troubles.solved(path)
            return False
        scene.troubles.add(path, side, CHANGING)
        return True

    def digested(self, side: Side, node: Node, stamp: Stamp, digest: bytes) -> None:
        """Take the digest of what is there with this stamp; whatever it was taken for before."""
        entry = node.on(side)
        if entry is None or entry.kind is not Kind.FILE or node.stamp_on(side) != stamp or entry.digest == digest:
            return
        if entry.digest:
            self._scene.found(side, node)
        self._scene.fresh.add(node)
        self._scene.rows.changed.add(node)
        node.learn(side, digest)

    def _take_stat(self, side: Side, path: bytes, tops: dict[Side, list[Node]], answer: Answer) -> None:
        scene = self._scene
        if answer.code is Code.DONE and answer.found:
            _, stamp, target = answer.found[0]
            if stat.S_ISREG(stamp.mode) and not stamp.size and self._just_emptied(side, path):
                return
            node = self._taken(side, path, stamp, target, tops)
            if node is not None and node not in scene.fresh:
                scene.doubt(side, node)
            return
        known = scene.rows.find(path)
        scene.locks.pop((side, path), None)
        if answer.code is Code.FAILED and answer.errno not in _ABSENT:
            if known is not None:
                scene.troubles.add(path, side, os.strerror(answer.errno))
        elif known is not None and known.parent is not None:
            scene.lost(side, known)

    def _taken(self, side: Side, path: bytes, stamp: Stamp, target: bytes, tops: dict[Side, list[Node]]) -> Node | None:
        """Take what is at a path; None if it is not synced."""
        scene = self._scene
        if holds_git(path):
            scene.locks.setdefault((side, path), time.monotonic())
        above, _, name = path.rpartition(b"/")
        parent = scene.rows.find(above)
        if parent is None or parent.on(side) != DIRECTORY or self._ruling.sealed(above):
            return None  # whoever finds its directory finds it there
        now = seen(stamp, target)
        if scene.here(parent).ignores(name, directory=now.kind is Kind.DIRECTORY):
            scene.ignored(side, parent, name)
            return None
        node = scene.rows.child(parent, name)
        if now.kind is not Kind.DIRECTORY:
            scene.emptied(side, node)
        elif node.on(side) != now or inode(node.packed_on(side)) != stamp.inode:
            tops[side].append(node)
        scene.look(side, node, stamp, target)
        return node

    def _changed_rules(self, changed: list[bytes], tops: dict[Side, list[Node]]) -> None:
        """Have everything looked at in the directories for which these ignore files hold."""
        for path in changed:
            node = self._scene.rows.find(path.rpartition(b"/")[0])
            for side in Side:
                if node is not None and node.on(side) == DIRECTORY:
                    tops[side].append(node)

    def digests(self, wanted: Iterable[tuple[Side, Node]]) -> Work[None]:
        """Know the digests of these files. What changes meanwhile is to be looked at again."""
        asks = []
        big = []
        for side, node in wanted:
            stamp = node.stamp_on(side)
            if stamp is not None and stamp.size > DELTA:
                big.append((side, node, stamp))
            elif stamp is not None:
                take = partial(self._take_hash, side, node, stamp)
                asks.append(Ask(side, Hash(node.path, stamp), take))
        if asks:
            yield asks
        for side, node, stamp in big:
            self._take_hash(side, node, stamp, (yield from hashed(side, node.path, stamp)))

    def _take_hash(self, side: Side, node: Node, stamp: Stamp, answer: Answer) -> None:
        scene = self._scene
        if answer.code is Code.DONE:
            self.digested(side, node, stamp, answer.data)
        elif answer.code is Code.FAILED and answer.errno not in _ABSENT:
            scene.unreadable(side, node, os.strerror(answer.errno))
        elif answer.code is Code.CHANGED and answer.stamp is not None:
            scene.troubles.add(node.path, side, CHANGING)
        else:
            scene.dirty[side].add(node.path)
