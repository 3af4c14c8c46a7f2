"""A session over two ends that are there: it waits for what happens, and runs cycles. Of one thread."""

import time
from collections.abc import Callable, Collection
from typing import Final

from devbox.errors import SyncError
from devbox.sync.core.entry import Kind, Side
from devbox.sync.core.names import TEMPORARY, UPLOAD
from devbox.sync.core.reconcile import Rules
from devbox.sync.cycle import Cycle
from devbox.sync.endpoint import Barrier, Endpoint, Remove
from devbox.sync.inquiry import Inquiry
from devbox.sync.lately import Lately
from devbox.sync.memory import Memory
from devbox.sync.opening import opened, root_there
from devbox.sync.pump import Ask, Pump, Rank, Work
from devbox.sync.rows import Node
from devbox.sync.scene import Scene
from devbox.sync.settling import Settling
from devbox.sync.still import Still
from devbox.sync.trim import release_memory

QUIET: Final = 0.05  # seconds after a cycle; what comes later is acted on at once
MERGE: Final = 0.02  # seconds for which more is waited for, within a burst
FEW: Final = 4  # paths, and cycles, that are none
BULK: Final = 200  # paths to look at that are a storm
STORM: Final = 0.05  # seconds for which more is waited for, within one
_SAVE: Final = 0.25  # seconds between two saves while there is work
_FIRST: Final = 10.0  # seconds before the first of them
_MUCH: Final = 1000  # rows
_TELL: Final = 0.2  # seconds within which somebody hears that it is done, before much is saved
_SELDOM: Final = 20  # times as long as a save takes is it waited until the next, at least
_SETTLE: Final = 2.5  # seconds without anything, after which what was read is trusted
_POLL: Final = 2.0  # seconds between two looks at what cannot be watched
_ENOUGH: Final = 2048  # works under way; no more are planned for what is left of a storm
_PIECE: Final = 256  # files read between two looks at what else there is to do
_NEVER: Final = float("inf")
_ABANDONED: Final = 600 * 10**9  # nanoseconds after which nobody is at work on something temporary any more


class Live:
    """The loop. `turn` is one round of it; `EndLost` from it if an end has gone."""

    def __init__(
        self,
        memory: Memory,
        rules: Rules,
        scene: Scene,
        ends: dict[Side, Endpoint],
        control: int,
        *,
        lately: Lately,
        verify_every: float,
    ) -> None:
        self.memory = memory
        self.scene = scene
        self.pump = Pump(ends[Side.HOST], ends[Side.GUEST])
        self.cycle = Cycle(scene, self.pump, lately)
        self._settling = Settling(scene)
        self.cycle.left = dict(memory.left)
        self.ends = ends
        self.paused = False
        self._waits = False  # for all that happened during a pause to be told of
        self.hurry = False  # somebody waits for the end of it
        self.is_shared: Callable[[], bool] = lambda: False  # whether another session has the host's directory as well
        self.open = False
        self._close = 0  # cycles of which each began shortly after the one before it
        self.anew = False  # whoever runs it has to open the ends again
        self.verified = self.cycled = time.time()
        self._verify_at = _NEVER
        self._verify_every = verify_every
        self._rules = rules
        self._polled = 0.0
        self._poll_every = _POLL
        self._active = time.monotonic()
        self.still = Still(control, (end.fileno() for end in ends.values()))
        self._first_save = self._active + _FIRST
        self._save_by = _NEVER
        self.pump.start(self._opening())

    def _opening(self) -> Work[None]:
        self.cycle.running = True
        self.open = self.cycle.again = yield from opened(self.memory, self.cycle, self.ends, lambda: not self.paused)
        self.cycle.running = False
        self._verify_later()
        self._polled = time.monotonic()

    def agree(self) -> None:
        """Somebody agrees to go on; with a root that was not looked at yet, from the beginning."""
        self.cycle.agreed = self.cycle.again = True
        self.cycle.halt = None
        self.anew = not self.open

    def resume(self) -> None:
        """Go on after a pause, with all at once that happened in it: a few of many deletions look harmless."""
        self.paused = False
        if self.open:
            self._waits = True
            self.barrier(self._go_on)

    def _go_on(self) -> None:
        self._waits = False

    @property
    def working(self) -> bool:
        """Whether there is something under way, or to be done soon."""
        return self._busy or bool(self.scene.unsettled)

    @property
    def _busy(self) -> bool:
        return self.cycle.running or not self.pump.idle or self._wanted()

    @property
    def _rests(self) -> bool:
        if self.working or self.paused or self.cycle.halt or self.scene.troubles.soon or not self.open:
            return False
        return not any(end.holds for end in self.ends.values())

    def turn(self, until: float = _NEVER) -> None:
        """Wait until something happens, or until then, and do what there is to do."""
        wait = self._wait(until)
        self.pump.turn(self.still.wait(wait, rests=self._rests))
        self._listen()
        self._retry()
        if self._due():
            self.cycle.again = False
            self.pump.start(self._cycle())
            self.pump.turn()
            self._listen()  # the ends may have taken what happened meanwhile, and nothing wakes us for it any more
        self._rest()

    def _listen(self) -> None:
        for side, end in self.ends.items():
            self.scene.hear(side, end.events())
        self._check_roots()

    def _cycle(self) -> Work[None]:
        self._close = self._close + 1 if time.monotonic() - self.cycle.ended <= QUIET else 0
        yield from self.cycle.work()
        self.cycled = time.time()
        if self.scene.rules.new_guest and self.cycle.halt is None and not self.scene.fresh:
            self.scene.rules = self._rules  # what comes from now on is of a guest that is known

    def _wanted(self) -> bool:
        """Whether there is something for a cycle."""
        scene = self.scene
        if not self.open or self.paused or self._waits:
            return False
        freed = scene.released and bool(scene.fresh)
        return self.cycle.again or freed or any(scene.dirty.values()) or bool(scene.rescan)

    def _due(self) -> bool:
        return self._wanted() and not self.cycle.running and self._start_at() <= time.monotonic()

    def _start_at(self) -> float:
        """When the next cycle is begun: at once after a quiet time; in a burst a little later, to take more along."""
        scene, now = self.scene, time.monotonic()
        if scene.locked_until > now and not scene.lock_dirty:
            return scene.locked_until
        if self.hurry or now - self.cycle.ended > QUIET:
            return 0.0
        many = sum(len(paths) for paths in scene.dirty.values())
        if many <= FEW and self._close < FEW:
            return 0.0
        return self.cycle.ended + (STORM if many > BULK else MERGE)

    def _wait(self, until: float) -> float | None:
        """How long nothing needs to be done unless something comes; None: for ever."""
        if self.pump.eager:
            return 0.0
        at = min(until, self._save_by, self._verify_at, next(iter(self.scene.doubts.values()), _NEVER))
        if not self.cycle.running:
            at = min(at, self.scene.troubles.next)
        if self._wanted() and not self.cycle.running:
            at = min(at, self._start_at())
        at = min(at, self._settling.at(quiet=not self._busy, hurry=self.hurry))
        if any(self.scene.polled.values()):
            at = min(at, self._polled + self._poll_every)
        if self.unsettled:
            at = min(at, self._active + _SETTLE)
        return None if at == _NEVER else max(0.0, at - time.monotonic())

    def _retry(self) -> None:
        """Take up what was put off until now."""
        scene, now = self.scene, time.monotonic()
        if scene.released and self.pump.pending < _ENOUGH:
            scene.released = False
            self.cycle.again = self.cycle.again or bool(scene.fresh)
        if not self.cycle.running:  # one that runs has looked already, and would try what is not there any more
            self._try_again()
        if next(iter(scene.doubts.values()), _NEVER) <= now:
            due = [key for key, at in scene.doubts.items() if at <= now]
            for key in due:
                del scene.doubts[key]
            self.pump.start(self._read_again(due), Rank.SOON)
        if any(scene.polled.values()) and self.open and now >= self._polled + self._poll_every:
            self._look_at_polled(now)
        if self._verify_at <= now:
            self.verify()

    def _try_again(self) -> None:
        scene = self.scene
        for trouble in scene.troubles.due():
            self.cycle.again = True
            node = scene.rows.find(trouble.path)
            if node is not None:
                scene.fresh.add(node)
            for side in Side:
                scene.dirty[side].add(trouble.path)

    def _check_roots(self) -> None:
        """Something happened to a root itself: whether it is there still is asked of its end."""
        while self.scene.root_events:
            self.pump.start(root_there(self.scene.root_events.pop()))

    def _read_again(self, files: list[tuple[Side, Node]]) -> Work[None]:
        yield from self.cycle.survey.digests(files)
        self.cycle.again = self.cycle.again or bool(self.scene.fresh)

    def _look_at_polled(self, now: float) -> None:
        for side, nodes in self.scene.polled.items():
            for node in nodes:
                if node.parent is None or node.parent not in nodes:
                    self.scene.rescan.add((side, node.path))
        self._polled = now

    def verify(self) -> None:
        """Look at all, beside everything else; what the watches did not tell of is found by it."""
        self._verify_at = _NEVER
        self.pump.start(self._verify(), Rank.SOON)

    def _verify_later(self) -> None:
        self.verified = time.time()
        self._verify_at = time.monotonic() + self._verify_every if self._verify_every else _NEVER

    def _verify(self) -> Work[None]:
        yield from self.cycle.survey.scan({side: [self.memory.rows.root] for side in Side})
        self.cycle.again = self.cycle.again or bool(self.scene.fresh)
        self._verify_later()

    def verify_content(self, done: Callable[[tuple[bytes, ...]], None]) -> None:
        """Read all files on both sides; `done` gets what was not as it is known to be, though nobody told of it."""
        if self.scene.inquiry is not None:
            raise SyncError("everything is being read already", hint="devbox sync status")
        self.pump.start(self._verify_content(self.scene.inquire(), done), Rank.SOON)

    def _verify_content(self, inquiry: Inquiry, done: Callable[[tuple[bytes, ...]], None]) -> Work[None]:
        yield from self._hear()
        yield from self._verify()
        files = [
            (side, node)
            for node in self.memory.rows.root.walk()
            for side in Side
            if (entry := node.on(side)) is not None and entry.kind is Kind.FILE
        ]
        for first in range(0, len(files), _PIECE):
            yield from self.cycle.survey.digests(files[first : first + _PIECE])
        yield from self._hear()
        self.scene.inquiry = None
        self.cycle.again = True
        done(inquiry.found())

    def _hear(self) -> Work[None]:
        """Take what is told of all that happened until now."""
        yield [Ask(side, Barrier()) for side in Side]
        for side, end in self.ends.items():
            self.scene.hear(side, end.events())

    def resolve(self, path: bytes, side: Side) -> None:
        """Take what the other side has at `path` for what both had: then only this side has changed."""
        top = self.scene.rows.find(path)
        if top is None or all(node.host == node.guest for node in top.walk()):
            raise SyncError("both sides have the same there", hint="devbox sync conflicts lists what is not")
        for node in top.walk():
            node.base = node.on(side.other)
            self.scene.fresh.add(node)
            self.scene.rows.changed.add(node)
        self.cycle.left = {at: left for at, left in self.cycle.left.items() if at != path}
        self.cycle.decided.add(path)
        self.cycle.again = True

    @property
    def unsettled(self) -> bool:
        """Whether the state does not trust yet what was read last."""
        return self.open and any(self.scene.latest[side] != self.scene.settled[side] for side in Side)

    def _rest(self) -> None:
        """Save now and then; all that is left when there is nothing else to do."""
        now = time.monotonic()
        self.scene.forget_empty()
        if self.pump.idle and self.open and not self.scene.fresh:
            self.scene.watch_made()
        if self._settling.at(quiet=not self._busy, hurry=self.hurry) <= now:
            self.pump.start(self._settling.work())
        if self.cycle.running or not self.pump.idle:
            self._active = now
            self._save_by = _NEVER
            seldom = self.memory.saved + max(_SAVE, self.memory.took * _SELDOM)
            if now < max(self._first_save, seldom) or self.cycle.running:
                return
        elif self._wanted():
            self._active = now
        elif self.open and self.memory.new and self.cycle.halt is None:
            self.memory.new = False
        if self.unsettled and now - self._active >= _SETTLE:
            self._active = now
            self.pump.start(self._settle())
        if self.scene.temps and self.open and self.pump.idle and not self._wanted():
            self.pump.start(self._sweep())
        if self.open and not self._save_waits(now):
            self._save_by = _NEVER
            self.memory.save(self.scene, self.cycle.left)

    def _save_waits(self, now: float) -> bool:
        """Whether much is to be saved, and somebody waits only for the end of what is done: he is told first."""
        if not self.hurry or len(self.memory.rows.changed) <= _MUCH:
            return False
        if self._save_by == _NEVER:
            self._save_by = now + _TELL
        return now < self._save_by

    def _settle(self) -> Work[None]:
        latest = dict(self.scene.latest)
        yield [Ask(side, Barrier()) for side in Side]
        if latest == self.scene.latest and not any(self.scene.dirty.values()):
            self.memory.settle(self.scene)
            release_memory()

    def _sweep(self) -> Work[None]:
        """Remove what an earlier session began and nobody took up.

        What is no upload may be somebody's file, on its way to the trash or out of the way when that one was killed.
        """
        temps, self.scene.temps = self.scene.temps, []
        if any(side is Side.HOST for side, _, _ in temps) and self.is_shared():
            now = time.time_ns()  # another session may be at work on them at this very moment
            temps = [one for one in temps if one[0] is not Side.HOST or now - one[2].ctime > _ABANDONED]
        batch = self.cycle.new_batch()
        yield [Ask(side, Remove(path, stamp, _kept(batch, path))) for side, path, stamp in temps]

    def barrier(self, reached: Callable[[], None], sides: Collection[Side] = tuple(Side)) -> None:
        """Call `reached` when all that happened until now on `sides` has been told of, or is about to be seen."""
        self._look_at_polled(time.monotonic())
        self.pump.start(self._barrier(reached, sides))

    def _barrier(self, reached: Callable[[], None], sides: Collection[Side]) -> Work[None]:
        yield [Ask(side, Barrier()) for side in sides]
        reached()

    def close(self) -> None:
        """Leave it, with what is known saved."""
        self.pump.close()
        self._settling.last(self.ends[Side.HOST])
        self.scene.forget_empty()
        self.memory.left = dict(self.cycle.left)
        self.memory.save(self.scene, self.cycle.left)


def _kept(batch: bytes, path: bytes) -> bytes:
    """Return under which name something temporary is to be found in the trash; an upload is not."""
    above, slash, name = path.rpartition(b"/")
    if UPLOAD.fullmatch(name):
        return b""
    return batch + b"/" + above + slash + b"rescued-" + name.removeprefix(TEMPORARY)
