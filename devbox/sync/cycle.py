"""One cycle: look at what is dirty, take what may differ to a three-way tree, plan, and set the works going.

A cycle does not wait for the works that it begins. Their rows are busy until they are done, and left alone by the
cycles that come meanwhile; so a save goes through while a big file is on its way.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from devbox.faults import fault
from devbox.sync import moves
from devbox.sync.core.brake import Halt
from devbox.sync.core.entry import Kind, Side
from devbox.sync.core.names import holds_git
from devbox.sync.core.plan import Action, Conflict, Note, Plan
from devbox.sync.core.reconcile import reconcile
from devbox.sync.endpoint import Barrier, List, Stat
from devbox.sync.lately import Lately
from devbox.sync.pump import Ask, Pump, Rank, Work, one
from devbox.sync.quick import edits
from devbox.sync.rows import DIRECTORY, Node
from devbox.sync.scene import Scene, both
from devbox.sync.seed import Seeds
from devbox.sync.survey import Survey
from devbox.sync.three import Three
from devbox.sync.transfer import Task, Transfer
from devbox.sync.trash import batch_name

EARLY: Final = 1000  # paths that are new, of which the first are sent before all has been looked at


class Left(NamedTuple):
    """What stays different. `told`: since when, in seconds."""

    what: Conflict | Note
    told: int


class Cycle:
    """Makes cycles over a Scene. `halt`: why nothing is done before somebody agrees (`agreed`)."""

    def __init__(self, scene: Scene, pump: Pump, lately: Lately) -> None:
        self.scene = scene
        self.survey = Survey(scene)
        self.transfer = Transfer(scene, self.survey)
        self._seeds = Seeds(scene, pump, self.transfer.counters)
        self._pump = pump
        self.left: dict[bytes, Left] = {}
        self.halt: Halt | None = None
        self.agreed = False
        self.again = False  # there is something to decide on, though nothing is dirty
        self.running = False
        self.ended = 0.0
        self.on_changed: Callable[[list[Action]], None] | None = None
        self.decided: set[bytes] = set()  # paths that somebody has decided on: what loses is kept
        # In the trash no two cycles may have one name, also if the next ends are met within the same second.
        self._number = time.time_ns() // 1000 % 1_000_000
        self._batch = b""  # of the trash, for all that this cycle changes
        self._lately = lately

    def first_look(self, may_begin: Callable[[], bool]) -> Work[None]:
        """Look at all. Where nothing is known yet, what is new is sent from the first on, if it `may_begin`.

        For then nothing that is found later makes something else of it.
        """
        left = 0  # what of it had to wait for the plan

        def listed() -> None:
            nonlocal left
            if len(self.scene.fresh) >= 2 * left + EARLY and may_begin():
                self.seed()
                left = len(self.scene.fresh)

        root = self.scene.rows.root
        self.survey.on_listed = None if root.children else listed
        if root.children and not self.scene.rules.new_guest:
            answer = yield from one(Side.GUEST, Stat(b""))
            self.scene.undone.begin(answer.found[0].stamp if answer.found else None)
        yield from self.survey.scan({side: [root] for side in Side})
        self.scene.undone.end()
        self.survey.on_listed = None

    def work(self) -> Work[None]:
        """Do one."""
        self.running = True
        try:
            if not (yield from self._locked()):
                yield from self._looks()
                fault("sync looked")
                self._batch = self.new_batch()
                if (sides := self._quick()) and self.scene.fresh:
                    yield []  # they go out, and are there before there is more to think about
                    yield [Ask(side, Barrier()) for side in sides]
                if self.scene.fresh:
                    self.seed()
                if self.scene.fresh:
                    yield from self._decide(Three(self.scene))
                elif self.agreed:  # what it was halted for has gone
                    self._go_on()
        finally:
            self.running = False
            self.ended = time.monotonic()

    def _locked(self) -> Work[bool]:
        """Look for git's locks before all else: while there is one, the tree is between two states."""
        scene = self.scene
        locks = {side: {path for path in paths if holds_git(path)} for side, paths in scene.dirty.items()}
        if any(locks.values()):
            for side in Side:
                scene.dirty[side] -= locks[side]
            yield from self.survey.look(locks)
        return scene.locked_until > time.monotonic()

    def _looks(self) -> Work[None]:
        scene = self.scene
        rescan, scene.rescan = scene.rescan, set()
        dirty, scene.dirty = scene.dirty, both(set)
        scene.looking = rescan | {(side, path) for side, paths in dirty.items() for path in paths}
        tops = yield from self.survey.look(dirty)
        for side, path in rescan:
            node = scene.rows.find(path)
            if node is not None and node.on(side) == DIRECTORY and node not in tops[side]:
                tops[side].append(node)
        if any(tops.values()):
            yield from self.survey.scan(tops)
        scene.looking = set()

    def _quick(self) -> set[Side]:
        """Send edits on by the shortest way; returns to where."""
        found = edits(self.scene) if self.halt is None else []
        for node, action in found:
            self.left.pop(action.path, None)
            self._start(Task(action, node, node.stamp_on(action.side), self._keep(action)))
        if found and self.on_changed is not None:
            self.on_changed([action for _, action in found])
        return {action.side for _, action in found}

    def seed(self) -> None:
        """Begin with what is plainly new in batches; the rest is a matter for a plan."""
        if self.halt is not None or self.decided:
            return
        self._seeds.on_changed = self.on_changed
        taken = self._seeds.begin()
        if taken and self.left:
            for node in taken:
                self.left.pop(node.path, None)

    def _decide(self, three: Three) -> Work[None]:
        scene = self.scene
        if not three.nodes:
            return
        yield from self.survey.digests({*three.unknown(), *scene.undone.unread(three.nodes)})
        self.decided |= scene.undone.decide(three.nodes)
        yield from self._freshen(three)
        plan = reconcile(three.tree(), scene.rules)
        renamed = list(moves.to_hash(self._tasks(plan, three)))
        if renamed:
            yield from self.survey.digests(renamed)
            plan = reconcile(three.tree(), scene.rules)
        fault("sync planned")
        if self.agreed:
            self._go_on()
        else:
            self.halt = self._lately.halt(plan, scene.rows)
        if self.halt is not None:
            scene.fresh |= {node for node in three.nodes if scene.attached(node)}
            return
        self._lately.done(plan, scene.rows)
        self._take(three, plan)
        tasks = self._tasks(plan, three)
        self._solve(three, tasks)
        self._begin(tasks)
        self.again = self.again or (three.more and not tasks)  # no work ends, after which there would be a cycle
        self.decided = {path for path in self.decided if scene.rows.find(path) not in three.nodes}
        if self.on_changed is not None:
            self.on_changed(plan.actions)

    def _go_on(self) -> None:
        """Somebody agreed to what it was halted for: to that, and not to what comes later."""
        self.agreed, self.halt = False, None
        self._lately.agreed()

    def _freshen(self, three: Three) -> Work[None]:
        """Look whether directories that may go hold something that is not synced: it may be gone meanwhile."""
        scene = self.scene
        asked = [(side, node) for side in Side for node in three.nodes & scene.holds[side] if _may_go(node, side)]
        answers = yield [Ask(side, List(node.path)) for side, node in asked]
        for (side, node), answer in zip(asked, answers, strict=True):
            if not any(scene.unsynced(node, found) for found in answer.found):
                scene.holds[side].discard(node)

    def _take(self, three: Three, plan: Plan) -> None:
        """Remember what the plan says of these paths, instead of what was said before."""
        rows = self.scene.rows
        self.left = {path: left for path, left in self.left.items() if not self._told_anew(three, path)}
        self.left |= staying(plan, three.unsettled, int(time.time()))
        for path, entry in plan.ancestor:
            node = rows.find(path)
            if node is not None and node not in three.unsettled:
                node.agree(entry)
                self.scene.touch(node)
        for node in three.nodes:
            if node.empty:
                self.scene.touch(node)
            elif node.agreed and not node.children:  # its digest was asked for, which made it fresh again
                self.scene.fresh.discard(node)

    def _solve(self, three: Three, tasks: list[Task]) -> None:
        """Forget troubles with paths on which nothing has to be done any more."""
        tried = {task.node for task in tasks} | three.unsettled
        for trouble in self.scene.troubles:
            node = self.scene.rows.find(trouble.path)
            if node is None or (node in three.nodes and node not in tried and not _unreadable(node)):
                self.scene.troubles.solved(trouble.path)

    def _told_anew(self, three: Three, path: bytes) -> bool:
        node = self.scene.rows.find(path)
        return node is None or node in three.nodes or node.agreed

    def _tasks(self, plan: Plan, three: Three) -> list[Task]:
        return [task for action in plan.actions if (task := self._task(action, three)) is not None]

    def _task(self, action: Action, three: Three) -> Task | None:
        """Return the task of an action; None if what it stands on changes just now."""
        node = self.scene.rows.find(action.path)
        if node is None or node in three.unsettled:
            return None
        expected = node.stamp_on(action.side) if action.was is not None else None
        return Task(action, node, expected, self._keep(action))

    def new_batch(self) -> bytes:
        """Return a name in the trash that nothing else has."""
        self._number += 1
        return batch_name(self._number, time.time())

    def _keep(self, action: Action) -> bytes:
        keep = action.keep or any(_beneath(action.path, path) for path in self.decided)
        leaf = action.was is not None and action.was.kind is not Kind.DIRECTORY
        return self._batch + b"/" + action.path if keep and leaf else b""

    def _begin(self, tasks: list[Task]) -> None:
        moved, others = moves.paired(tasks)
        coming = {task.action.path for task in others if task.action.want is not None}
        first = {id(task) for task in others if _first(task, coming)}
        for task in others:
            if id(task) in first:
                self._start(task)
        for move in moved:
            work = self.transfer.move(move.new, move.old, partial(self._anew, [move.old, move.new]))
            self._pump.start(work, Rank.SOON)
        for task in others:
            if id(task) not in first:
                self._start(task)

    def _anew(self, tasks: list[Task]) -> None:
        """A move could not be: do it as two."""
        for task in tasks:
            self._start(task)

    def _start(self, task: Task) -> None:
        self._pump.start(self.transfer.work(task), task.rank, task.size)


def staying(plan: Plan, unsettled: Iterable[Node], now: int) -> dict[bytes, Left]:
    """Return what a plan leaves different, without what is not decided on yet."""
    later = {node.path for node in unsettled}
    whats: list[Conflict | Note] = [*plan.kept, *plan.conflicts]
    return {what.path: Left(what, now) for what in whats if what.path not in later}


def _first(task: Task, coming: set[bytes]) -> bool:
    """Whether others need it done before: a directory, or what stands in its place and is none."""
    want, was = task.action.want, task.action.was
    if want is not None:
        return want.kind is Kind.DIRECTORY
    return was is not None and was.kind is not Kind.DIRECTORY and task.action.path in coming


def _may_go(node: Node, side: Side) -> bool:
    return node.parent is not None and node.on(side) is not None and node.on(side.other) is None


def _unreadable(node: Node) -> bool:
    return any(entry is not None and entry.kind is Kind.OTHER for entry in (node.host, node.guest))


def _beneath(path: bytes, top: bytes) -> bool:
    return path == top or path.startswith(top + b"/")
