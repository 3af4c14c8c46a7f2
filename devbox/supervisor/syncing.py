"""What the Supervisor has of a SyncSession: it begins and ends one as it is told, and answers for it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from devbox.supervisor.log import Log
from devbox.supervisor.order import SyncOrder, order_document, parse_order
from devbox.supervisor.protocol import ControlError
from devbox.supervisor.words import notice

Document = dict[str, Any]

PATIENCE: Final = 60.0  # seconds that a command waits for both sides to be equal before it goes on without that
SIDES: Final = ("host", "guest")


class Session(Protocol):
    """A SyncSession in a thread of its own. Every method may be called from any thread; what it returns is plain.

    A status is an object with at least `state`, `reason`, `pending`, `conflicts` and `problems`: see `words`.
    """

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, and return when it has."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def flush(self, timeout: float, *, inward: bool = False) -> Document:
        """Wait until both sides are equal, at most so many seconds; return the status, and `settled`.

        `inward`: until what was changed on the host is inside.
        """

    def resting(self, told: bytes = b"") -> Document | None:
        """Return what `flush` would, at once; None if it has to be asked.

        `told`: all that the guest has told by then (`agent.wire.exit_told`); empty: of what it has nothing is asked.
        """

    def status(self) -> Document:
        """Return how it goes."""

    def pause(self) -> None:
        """Do nothing until `resume`."""

    def resume(self) -> None:
        """Go on."""

    def resolve(self, path: bytes, side: str) -> Document:
        """Have of a conflict what one side has; `found`: whether there is one at this path, or below it."""

    def confirm(self) -> None:
        """Agree to what it has stopped for."""

    def diff(self) -> Document:
        """Return `entries`: what is not the same on both sides."""

    def verify(self) -> Document:
        """Look at every file of both sides; return `differing`: paths of which nobody knew."""


Open = Callable[[SyncOrder], Session]


class SyncService:
    """The SyncSession of one Environment, if it has one."""

    def __init__(self, opened: Open, log: Log) -> None:
        self._open = opened
        self._log = log
        self._order: SyncOrder | None = None
        self._session: Session | None = None
        self._changing = threading.Lock()

    @property
    def active(self) -> bool:
        """Whether there is one that runs."""
        session = self._session
        return session is not None and session.alive

    def answer(self, op: str, message: Mapping[str, Any]) -> Document:
        """Do what a request asks for and return what comes of it; waits, so it is not for the loop's own thread."""
        if op == "sync.declare":
            return self._declare(message.get("order"))
        session = self._session
        if session is None or not session.alive:
            return {"active": False}
        return {"active": True, **self._asked(session, op, message)}

    def flushed(self, *, inward: bool) -> str | None:
        """Wait until both sides are equal; return what a command has to say of it, None if there is no session.

        `inward`: until what was changed on the host is inside.
        """
        session = self._session
        return None if session is None else notice(session.flush(PATIENCE, inward=inward))

    def at_rest(self, told: bytes = b"") -> str | None:
        """Return what `flushed` would, without waiting; None if it has to be asked. `told`: see `Session.resting`."""
        session = self._session
        found = None if session is None else session.resting(told)
        return None if found is None else notice(found)

    def close(self) -> None:
        """End it."""
        with self._changing:
            self._end()

    def _declare(self, given: object) -> Document:
        order = None if given is None else parse_order(given)
        with self._changing:
            if order == self._order and self.active == (order is not None):
                return {"active": self.active, "changed": False}
            self._end()
            if order is not None:
                self._begin(order)
        return {"active": self.active, "changed": True}

    def _begin(self, order: SyncOrder) -> None:
        session = self._open(order)
        session.start()
        self._order, self._session = order, session
        self._log.say(f"sync {order.mode}: {order.host} and {order.guest} inside")

    def _end(self) -> None:
        session, self._session, self._order = self._session, None, None
        if session is not None:
            session.stop()
            self._log.say("sync: ended")

    def _asked(self, session: Session, op: str, message: Mapping[str, Any]) -> Document:
        match op:
            case "sync.status":
                return {"status": session.status(), **self._told()}
            case "sync.flush":
                return {"status": session.flush(_seconds(message.get("timeout", PATIENCE)))}
            case "sync.pause":
                session.pause()
            case "sync.resume":
                session.resume()
            case "sync.confirm":
                session.confirm()
            case "sync.resolve":
                return session.resolve(*_resolution(message))
            case "sync.diff":
                return session.diff()
            case "sync.verify":
                return session.verify()
            case other:
                raise ControlError(f"no such request: {other!r}")
        return {"status": session.status()}

    def _told(self) -> Document:
        return {"order": None if self._order is None else order_document(self._order)}


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise ControlError(f"no number of seconds: {value!r}")
    return float(value)


def _resolution(message: Mapping[str, Any]) -> tuple[bytes, str]:
    path, side = message.get("path"), message.get("keep")
    if not isinstance(path, str) or side not in SIDES:
        raise ControlError("a path and the side to keep are asked for")
    return path.encode("utf-8", "surrogateescape"), str(side)
