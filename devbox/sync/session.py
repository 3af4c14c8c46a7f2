"""A SyncSession: one thread that keeps two trees equal, and what may be asked of it from any other thread."""

import contextlib
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import pathspec

from devbox.errors import SyncError
from devbox.sync import tell
from devbox.sync.claims import Claim
from devbox.sync.core.entry import Side
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.names import Guard
from devbox.sync.core.plan import Action
from devbox.sync.core.reconcile import Rules
from devbox.sync.emptying import empty_guest, empty_host
from devbox.sync.endpoint import Endpoint
from devbox.sync.lately import Lately
from devbox.sync.live import Live
from devbox.sync.memory import Memory
from devbox.sync.pump import EndLost, Rank
from devbox.sync.report import Difference, Doing, Report, Settings, Status, shown, taken
from devbox.sync.scene import Scene

_FIRST: Final = 0.05  # seconds until a lost end is looked for, doubled each time
_LONGEST: Final = 5.0
_ANSWER: Final = 5.0  # seconds within which the thread answers a question
FLUSH: Final = 60.0
_FULL: Final = 10_000  # collections of the middle generation before one of all
_DAY: Final = 24 * 60 * 60.0
_GONE: Final = 10.0  # seconds without the other end, after which nobody is let wait for it

T = TypeVar("T")
Connect = Callable[[], Endpoint]


@dataclass(slots=True)
class _Question:
    """Something to do in the thread, and what came of it."""

    do: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class _Flush:
    """Somebody waits for the end of all that there is to do."""

    until: float
    sides: tuple[Side, ...] = tuple(Side)
    asked: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    reached: bool = False
    report: Report = field(default_factory=lambda: Report(settled=False))
    files: int = 0
    bytes: int = 0


class _Verify:
    """Somebody waits for everything to be read. `found`: None if that came to no end."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.found: tuple[bytes, ...] | None = None

    def come(self, found: tuple[bytes, ...]) -> None:
        """It has."""
        self.found = found
        self.done.set()


class SyncSession:
    """Keeps `host_root`, which `connect_host` opens, and what `connect_guest` opens equal.

    Both are called in the session's thread whenever an end is needed (anew), and may raise `OSError`, which is tried
    again. `state`: path of a file that is the session's own. `notify` is called from the thread with the name of each
    rule of `on_change` of which something was brought over, when it is there. `start` may raise `SyncError`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        state: str,
        host_root: str,
        connect_host: Connect,
        connect_guest: Connect,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._state = state
        self._host_root = host_root
        self._connect = {Side.HOST: connect_host, Side.GUEST: connect_guest}
        self._notify = notify
        self._rules = [(one.name, pathspec.GitIgnoreSpec.from_lines(one.paths)) for one in settings.on_change]
        self._matched: set[str] = set()
        self._guard = Guard(settings.git, settings.allow, [taken(path) for path in settings.protect])
        self._questions: deque[_Question] = deque()
        self._flushes: list[_Flush] = []
        self._verifies: list[_Verify] = []
        self._bell, self._rope = os.pipe()
        for descriptor in (self._bell, self._rope):
            os.set_blocking(descriptor, False)
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._stopping = False
        self._ended = False
        self._paused = False
        self._agreed = False
        self._lately = Lately()
        self._expire_at = 0.0
        self._lost = ""
        self._lost_at = 0.0
        self._live: Live | None = None
        self._memory: Memory | None = None
        self._claim: Claim | None = None

    def start(self) -> None:
        """Begin. `SyncError` if another session has this directory or one in or around it."""
        self._claim = Claim(self._host_root, self._settings.machine)
        try:
            self._memory = Memory(self._state)
        except BaseException:
            self._claim.release()
            raise
        self._thread.start()

    def stop(self) -> None:
        """End, at once: what is under way is left, and taken up the next time."""
        self._stopping = True
        self._ring()
        if self._thread.is_alive():
            self._thread.join()
        if self._claim is not None:
            self._claim.release()
            self._claim = None
            os.close(self._bell)
            os.close(self._rope)

    @property
    def alive(self) -> bool:
        """Whether it runs: not before `start`, not after `stop`, nor after a fault of ours, which ends it."""
        return self._thread.is_alive() and not self._ended

    def flush(self, timeout: float = FLUSH, *, inward: bool = False) -> Report:
        """Bring over all that was changed on either side (`inward`: on the host) before this call; say what is left.

        Returns when nothing is left to do, at once if nothing will be (halted, paused), or after `timeout` seconds.
        """
        if self._ended:
            return Report(settled=False, halted=self._lost)
        flush = _Flush(time.monotonic() + timeout, (Side.HOST,) if inward else tuple(Side))
        self._flushes.append(flush)
        self._ring()
        if not flush.done.wait(timeout + _ANSWER):
            return Report(settled=False, halted="the session does not answer")
        return flush.report

    def rests(self, rest: int, told: bytes = b"") -> bool:
        """Whether nothing has happened on the host, or come from the guest, since a `flush` came to this `Report.rest`.

        `told`: what the guest had told when nothing more had happened there; empty: that is not asked for.
        """
        live = self._live
        return live is not None and (not told or live.ends[Side.GUEST].has_told(told)) and live.still.since(rest)

    def status(self) -> Status:
        """Return what it does and knows."""
        return self._ask(lambda: tell.status(self._settings, self._live, self._memory, self._doing()))

    def differences(self) -> tuple[Difference, ...]:
        """Return all paths that are not the same on both sides now, for whatever reason."""
        return self._ask(lambda: tell.differences(self._memory))

    def pause(self) -> None:
        """Do nothing, but go on watching, until `resume`."""
        self._ask(lambda: self._set_paused(paused=True))

    def resume(self) -> None:
        """Go on."""
        self._ask(lambda: self._set_paused(paused=False))

    def confirm(self) -> None:
        """Agree to what the session halted before."""
        self._ask(self._confirm)

    def resolve(self, path: str, side: Side) -> None:
        """Let what this side has at `path` be what both have; the other's goes to its trash. `SyncError` if equal."""
        self._ask(lambda: self._required().resolve(taken(path), side))

    def verify(self, timeout: float = FLUSH) -> tuple[str, ...]:
        """Read everything on both sides; return the paths that were not as the session knew them, and sync them.

        `SyncError` if it does not come to the end of it, within `timeout` seconds or at all.
        """
        asked = _Verify()
        self._ask(lambda: self._verify(asked))
        asked.done.wait(timeout)
        if asked.found is None:
            why = "an end was lost" if asked.done.is_set() else f"it takes more than {timeout:g} s"
            raise SyncError(
                f"not all was read: {why}", hint="look at devbox sync status, then again: devbox sync verify"
            )
        return tuple(map(shown, asked.found))

    # What follows runs in the thread.

    def _run(self) -> None:
        # A full collection goes through all rows, to find nothing; there is one whenever the session comes to rest.
        before = gc.get_threshold()
        gc.set_threshold(*before[:2], _FULL)
        try:
            self._keep_on()
        finally:  # also if it is a fault of ours, whose traceback is in the log
            self._ended = True
            self._lost = self._lost or "the session has ended"
            for flush in list(self._flushes):
                self._finish(flush, settled=False)
            self._answer()
            if self._memory is not None:
                self._memory.state.close()
            gc.set_threshold(*before)

    def _keep_on(self) -> None:
        wait = _FIRST
        while not self._stopping:
            ends: dict[Side, Endpoint] = {}
            try:
                self._open(ends)
                self._lost = ""
                wait = _FIRST
                self._work()
            except EndLost as lost:
                self._lost_at = self._lost_at if self._lost else time.monotonic()
                self._lost = tell.lost(lost)
            finally:
                self._leave(ends)
            if not self._stopping:
                self._idle(wait)
                wait = min(wait * 2, _LONGEST)

    def _open(self, ends: dict[Side, Endpoint]) -> None:
        for side, connect in self._connect.items():
            try:
                ends[side] = connect()
            except OSError as error:
                raise EndLost(side, error) from error
        if self._memory is None:
            raise SyncError("the session was not started")
        settings = self._settings
        ignore = Ignore({}, profile=settings.ignore, volumes=settings.volumes, git=settings.git)
        rules = Rules(mode=settings.mode, way=self._guard.way)
        scene = Scene(self._memory.rows, ignore, self._guard, rules, self._memory.undone)
        every = settings.verify_every
        self._live = Live(self._memory, rules, scene, ends, self._bell, lately=self._lately, verify_every=every)
        self._live.is_shared = self._claim.is_shared if self._claim else self._live.is_shared
        self._live.paused = self._paused
        self._live.cycle.agreed = self._agreed
        self._live.cycle.on_changed = self._changed if self._rules else None

    def _work(self) -> None:
        live = self._live
        while not self._stopping and live is not None and not live.anew:
            live.hurry = any(flush.reached for flush in self._flushes)
            live.turn(min((flush.until for flush in self._flushes), default=float("inf")))
            self._answer()
            self._flush(live)
            if live.open and not live.working and self._expire_at <= time.monotonic():
                self._expire(live)
            if self._matched and not live.working:
                for name in sorted(self._matched):
                    self._notify(name)
                self._matched.clear()

    def _expire(self, live: Live) -> None:
        """Remove what has been in the trash of both sides for too long."""
        self._expire_at = time.monotonic() + _DAY
        live.pump.start(empty_guest(time.time()), Rank.BIG)
        empty_host(self._host_root)

    def _leave(self, ends: dict[Side, Endpoint]) -> None:
        live, self._live = self._live, None
        if live is not None:
            self._agreed = live.cycle.agreed
            live.close()
        for verify in self._verifies:
            verify.done.set()
        for flush in self._flushes:  # what was asked of the ends that have gone is asked of the next ones
            flush.begun = flush.reached = False
        for end in ends.values():
            with contextlib.suppress(OSError):
                end.close()

    def _idle(self, seconds: float) -> None:
        """Wait for the next try to connect, and answer meanwhile."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self._answer()
            for flush in list(self._flushes):
                if min(flush.until, max(flush.asked, self._lost_at) + _GONE) <= time.monotonic():
                    self._finish(flush, settled=False)
            tell.wait(self._bell, min(left, 0.1))

    def _answer(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 4096)
        while self._questions:
            question = self._questions.popleft()
            try:
                question.value = question.do()
            except SyncError as error:
                question.error = error
            question.done.set()

    def _flush(self, live: Live) -> None:
        for flush in list(self._flushes):
            if not live.open and live.cycle.halt is not None:
                self._finish(flush, settled=False)
                continue
            if not flush.begun and live.open:
                flush.begun = True
                flush.files, flush.bytes = live.cycle.transfer.counters.files, live.cycle.transfer.counters.bytes
                live.barrier(lambda flush=flush: setattr(flush, "reached", True), flush.sides)  # type: ignore[misc]
            quiet = flush.reached and not live.working and not live.scene.troubles.soon
            stuck = live.paused or live.cycle.halt is not None
            if quiet or (flush.reached and stuck and not live.cycle.running):
                self._finish(flush, settled=not stuck)
            elif flush.until <= time.monotonic():
                self._finish(flush, settled=False)

    def _finish(self, flush: _Flush, *, settled: bool) -> None:
        self._flushes.remove(flush)
        reason = self._doing()[1]
        flush.report = tell.report(self._live, settled=settled, halted=reason, files=flush.files, bytes_=flush.bytes)
        flush.done.set()

    def _changed(self, actions: list[Action]) -> None:
        """Remember the rules that match what came from the host: what the guest makes must start nothing anew."""
        came = [shown(action.path) for action in actions if action.side is Side.GUEST]
        for name, spec in self._rules:
            if any(map(spec.match_file, came)):
                self._matched.add(name)

    def _required(self) -> Live:
        if self._live is None or not self._live.open:
            raise SyncError("the guest is not connected yet", hint="try again in a moment: devbox sync status")
        return self._live

    def _verify(self, asked: _Verify) -> None:
        self._required().verify_content(asked.come)
        self._verifies = [one for one in self._verifies if not one.done.is_set()] + [asked]

    def _set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        if self._live is not None and paused:
            self._live.paused = True
        elif self._live is not None and self._live.paused:
            self._live.resume()

    def _confirm(self) -> None:
        live = self._live
        if not self._lately.halted and (live is None or live.cycle.halt is None):
            return  # else the next halt, for whatever it is, would be none
        self._agreed = True
        if live is not None:
            live.agree()

    def _doing(self) -> tuple[Doing, str]:
        if self._lost:
            return Doing.DISCONNECTED, self._lost
        return tell.doing(self._live)

    # And this in any.

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._rope, b"!")

    def _ask(self, do: Callable[[], T]) -> T:
        if self._ended:
            return do()
        question = _Question(do)
        self._questions.append(question)
        self._ring()
        if not question.done.wait(_ANSWER):
            raise SyncError("the sync session does not answer", hint="look at: devbox logs --supervisor")
        if question.error is not None:
            raise question.error
        value: T = question.value
        return value
