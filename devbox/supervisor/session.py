"""The SyncSession that a Supervisor has: between this host's directory and the agent's sync program."""

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from devbox import paths
from devbox.agent.client import AgentError, dial
from devbox.errors import SyncError
from devbox.supervisor.deeds import Deeds
from devbox.supervisor.log import Log
from devbox.supervisor.order import SyncOrder
from devbox.supervisor.plain import plain
from devbox.supervisor.protocol import ControlError
from devbox.supervisor.syncing import Document, Open, Session
from devbox.supervisor.words import DISCONNECTED, HALTED, PAUSED

if TYPE_CHECKING:
    from devbox.sync.endpoint import Endpoint
    from devbox.sync.session import SyncSession

_SLICE: Final = 2.0  # seconds after which one who waits looks whether there is anything to wait for
_IDLE: Final = (PAUSED, HALTED, DISCONNECTED)


def opener(path_hash: str, identity: str, agent: str, log: Log) -> Open:
    """Return what makes the SyncSessions of the Environment `identity`, whose agent's socket is `agent`."""

    def opened(order: SyncOrder) -> Session:
        return LocalSession(order, path_hash, lambda: _guest(agent, identity, order), log)

    return opened


class LocalSession:
    """A `Session` over a `SyncSession`."""

    def __init__(self, order: SyncOrder, path_hash: str, guest: "Callable[[], Endpoint]", log: Log) -> None:
        self._log = log
        self._deeds = Deeds(order.host, order.rules, path_hash, log, machine=order.machine)
        self._session = _made(order, path_hash, guest, self._deeds)
        self._rest: tuple[int, Document] | None = None  # at which somebody saw it, and what was to be said then

    def start(self) -> None:
        """Begin; `ControlError` with the words of whatever is in the way."""
        self._asked(self._session.start)

    def stop(self) -> None:
        """End, and return when it has."""
        self._session.stop()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._session.alive

    def flush(self, timeout: float, *, inward: bool = False) -> Document:
        """Wait until both sides are equal, and no longer than there is hope for it. `inward`: see `SyncSession`."""
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            report = self._session.flush(max(0.0, min(left, _SLICE)), inward=inward)
            status = self.status()
            if report.settled:
                self._deeds.arm()
            if report.settled or left <= _SLICE or status["state"] in _IDLE:
                found = status | {"settled": report.settled}
                self._rest = (report.rest, found) if report.settled else None
                return found

    def resting(self, told: bytes = b"") -> Document | None:
        """Return what the last `flush` did if this one would do no more: nothing has happened since at either end."""
        rest = self._rest
        return rest[1] if rest is not None and self._session.rests(rest[0], told) else None

    def status(self) -> Document:
        """Return how it goes."""
        found = _document(self._asked(self._session.status))
        return {"state": found.pop("doing"), **found}

    def pause(self) -> None:
        """Do nothing until `resume`."""
        self._asked(self._session.pause)

    def resume(self) -> None:
        """Go on."""
        self._asked(self._session.resume)

    def resolve(self, path: bytes, side: str) -> Document:
        """Have of a conflict what one side has."""
        from devbox.sync.core.entry import Side  # lazy: see _made

        text = path.decode("utf-8", "surrogateescape")
        known = [one["path"] for one in (*self.status()["conflicts"], *self.status()["kept"])]
        found = [one for one in known if one == text or one.startswith(text.rstrip("/") + "/")]
        for one in found:
            self._asked(functools.partial(self._session.resolve, one, Side(side)))
        return {"found": bool(found), "resolved": found}

    def confirm(self) -> None:
        """Agree to what it has stopped for."""
        self._asked(self._session.confirm)

    def diff(self) -> Document:
        """Return what is not the same on both sides."""
        return {"entries": plain(self._asked(self._session.differences))}

    def verify(self) -> Document:
        """Look at every file of both sides."""
        return {"differing": plain(self._asked(functools.partial(self._session.verify, 3600.0)))}

    @staticmethod
    def _asked(question: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever the question is answered with)
        try:
            return question()
        except SyncError as error:
            raise ControlError(f"{error.message}; {error.hint}" if error.hint else error.message) from error


def _made(order: SyncOrder, path_hash: str, guest: "Callable[[], Endpoint]", deeds: Deeds) -> "SyncSession":
    # Lazy: they need third-party modules, which a Supervisor without a sync never sees.
    from devbox.sync.core.modes import Git, Mode
    from devbox.sync.host import HostEndpoint
    from devbox.sync.report import Rule, Settings
    from devbox.sync.session import SyncSession

    settings = Settings(
        mode=Mode(order.mode),
        git=Git(order.git),
        ignore=order.ignore,
        volumes=order.volumes,
        allow=order.allow,
        protect=order.protect,
        on_change=tuple(Rule(name=str(number), paths=rule.paths) for number, rule in enumerate(order.rules)),
        machine=order.machine,
    )
    return SyncSession(
        settings,
        state=paths.sync_state(path_hash),
        host_root=order.host,
        connect_host=lambda: HostEndpoint(order.host),
        connect_guest=guest,
        notify=deeds.changed,
    )


def _guest(socket: str, identity: str, order: SyncOrder) -> "Endpoint":
    from devbox.sync.guest import open_guest  # lazy: see _made

    try:
        return open_guest(dial(socket), identity, user=order.user, root=order.guest)
    except AgentError as error:
        raise ConnectionError(str(error)) from error


def _document(value: object) -> Document:
    found = plain(value)
    assert isinstance(found, dict)
    return found
