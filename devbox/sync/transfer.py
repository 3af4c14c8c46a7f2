"""What is done on one side so that it has what the other has: a work for each action of a plan.

Each says what it expects to find; where it finds something else, or the content changes while it is read, nothing is
done, and the path is looked at again a little later.
"""

from collections.abc import Callable
from dataclasses import dataclass

from devbox.sync.bulk import send_big
from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.core.plan import Action, Reason
from devbox.sync.endpoint import (
    SMALL,
    Answer,
    Code,
    MakeDirectory,
    MakeLink,
    Put,
    Read,
    Remove,
    Rename,
    SetExecutable,
)
from devbox.sync.pump import Ask, Rank, Work, one
from devbox.sync.rows import Node, digest_of, packed
from devbox.sync.scene import Scene
from devbox.sync.survey import Survey
from devbox.sync.troubles import CHANGING, text


@dataclass(slots=True, kw_only=True)
class Counters:
    """What a session has done so far."""

    files: int = 0
    bytes: int = 0
    removed: int = 0
    moved: int = 0


class Task:
    """An action on its row. `expected`: what is there now; `keep`: the name in the trash, or empty."""

    __slots__ = ("action", "expected", "keep", "node", "path", "side", "size", "source", "stamp")

    def __init__(self, action: Action, node: Node, expected: Stamp | None, keep: bytes) -> None:
        self.action = action
        self.node = node
        self.expected = expected
        self.keep = keep
        self.side, self.path, want, _, _, _ = action
        self.source = self.side.other
        self.stamp: Stamp | None = None  # of the content that is to be sent, and its size
        self.size = 0
        if want is not None and want.kind is Kind.FILE:
            self.stamp = node.stamp_on(self.source)
            self.size = self.stamp.size if self.stamp is not None else 0

    @property
    def rank(self) -> Rank:
        """When it is begun: an edit of a small file before all that is new."""
        if self.size > SMALL:
            return Rank.BIG
        want, was = self.action.want, self.action.was
        edit = want is not None and was is not None and want.kind is was.kind is Kind.FILE
        return Rank.NOW if edit else Rank.SOON


class Transfer:
    """Makes the works."""

    def __init__(self, scene: Scene, survey: Survey) -> None:
        self._scene = scene
        self._survey = survey
        self.counters = Counters()

    def work(self, task: Task) -> Work[None]:
        """Do it, and keep its row busy meanwhile."""
        self._scene.hold(task.node)
        return self._held(task)

    def _held(self, task: Task) -> Work[None]:
        try:
            want, was = task.action.want, task.action.was
            if want is None:
                yield from self._remove(task)
            elif want.kind is Kind.DIRECTORY:
                self._done(task, want, (yield from one(task.side, MakeDirectory(task.path))))
            elif want.kind is Kind.LINK:
                link = MakeLink(task.path, task.expected, want.target, task.keep)
                self._done(task, want, (yield from one(task.side, link)))
            elif was is not None and was.digest == want.digest != b"" and task.expected is not None:
                change = SetExecutable(task.path, task.expected, want.executable)
                self._done(task, want, (yield from one(task.side, change)))
            else:
                yield from self._file(task, want)
        finally:
            self._scene.release(task.node)

    def _remove(self, task: Task) -> Work[None]:
        if task.expected is not None:
            answer = yield from one(task.side, Remove(task.path, task.expected, task.keep))
            self.counters.removed += answer.code is Code.DONE
            self._done(task, None, answer)

    def _file(self, task: Task, want: Entry) -> Work[None]:
        source, node, stamp = task.source, task.node, task.stamp
        if stamp is None:
            self._again(task, source)
            return
        if stamp.size > SMALL:
            sent = yield from send_big(task.side, node, want, task.expected, task.keep)
            if sent.side is not task.side:
                self._failed(task, sent.side, sent.answer)
            else:
                self._sent(task, want._replace(digest=sent.digest), stamp, sent.answer)
            return
        known, (data, digest) = self._survey.contents.take(source, node)
        if known != stamp:
            # Not SMALL: as many are on the way at once as their bytes allow.
            answer = yield from one(source, Read(task.path, stamp, 0, stamp.size))
            data = answer.data
            if answer.code is not Code.DONE or len(data) != stamp.size:
                self._failed(task, source, answer)
                return
            digest = digest_of(data)
        if want.digest != digest:
            if want.digest:
                self._again(task, source)
                return
            want = want._replace(digest=digest)
        put = Put(task.path, task.expected, data, digest, want.executable, stamp.mtime, task.keep)
        answers = yield [Ask(task.side, put)]
        self._sent(task, want, stamp, answers[0])

    def _sent(self, task: Task, have: Entry, stamp: Stamp, answer: Answer) -> None:
        source, node = task.source, task.node
        if answer.code is Code.DONE:
            if task.side is Side.HOST:
                self._scene.put_on_host(node)
            self.counters.files += 1
            self.counters.bytes += stamp.size
            if node.packed_on(source) == packed(stamp):
                node.learn(source, have.digest)
        self._done(task, have, answer)

    def move(self, task: Task, old: Task, otherwise: Callable[[], None]) -> Work[None]:
        """Have what is at `old` at the place of `task`; `otherwise` if that cannot be."""
        self._scene.hold(task.node)
        self._scene.hold(old.node)
        return self._moved(task, old, otherwise)

    def _moved(self, task: Task, old: Task, otherwise: Callable[[], None]) -> Work[None]:
        side, want, was = task.side, task.action.want, old.action.was
        try:
            if old.expected is None or want is None or was is None:
                return
            answer = yield from one(side, Rename(old.path, old.expected, task.path))
            if answer.code is Code.DONE and answer.stamp is not None and want.executable != was.executable:
                answer = yield from one(side, SetExecutable(task.path, answer.stamp, want.executable))
            if answer.code is not Code.DONE:
                otherwise()
                return
            self.counters.moved += 1
            self._done(old, None, Answer())
            self._done(task, want._replace(digest=was.digest), answer)
        finally:
            self._scene.release(task.node)
            self._scene.release(old.node)

    def _done(self, task: Task, have: Entry | None, answer: Answer) -> None:
        scene, node, side = self._scene, task.node, task.side
        scene.told.pop((side, task.path), None)  # it may be from before
        if answer.code is not Code.DONE:
            self._failed(task, side, answer)
            return
        if node.parent is not None and (node.parent.children or {}).get(node.name) is not node:
            return  # it is not synced any more
        if have is None or answer.stamp is None:
            if side is Side.GUEST:
                scene.undone.removed.add(node)
            node.put(side, None, None)
        else:
            node.put(side, have, packed(answer.stamp))
            scene.latest[side] = max(scene.latest[side], answer.stamp.ctime)
        if task.action.reason is not Reason.MERGED or node.on(side.other) == have:
            node.agree(have)
        if not node.agreed:
            scene.fresh.add(node)
        if have is not None and have.kind is Kind.DIRECTORY:
            scene.made[side].add(node)
        scene.troubles.solved(task.path)
        if task.action.was is not None:
            scene.wrote(side, task.path)
        scene.rows.changed.add(node)

    def _again(self, task: Task, side: Side) -> None:
        """What is there on `side` changed under our hands."""
        self._scene.troubles.add(task.path, side, CHANGING)

    def _failed(self, task: Task, side: Side, answer: Answer) -> None:
        node = task.node
        above = node.parent.on(side) if node.parent is not None else None
        if answer.code is Code.REFUSED:
            self._scene.troubles.add(task.path, side, "refused", again=False)
        elif answer.code is Code.FAILED and (above is None or above.kind is not Kind.DIRECTORY):
            pass  # it is tried again with the directory that it belongs into
        elif answer.code is Code.FAILED:
            self._scene.troubles.add(task.path, side, text(answer.errno, answer.room, task.size))
        else:
            self._again(task, side)
