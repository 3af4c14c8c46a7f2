"""What the Supervisor does: it has the ports that it was asked for, and relays them."""

from dataclasses import dataclass
from typing import Protocol

from devbox.supervisor.binding import Bound, bind
from devbox.supervisor.datagrams import DatagramRelay
from devbox.supervisor.dialler import Dialler
from devbox.supervisor.log import Log
from devbox.supervisor.protocol import Answer, Failed, Forward, Wanted
from devbox.supervisor.streams import StreamRelay


class _Relay(Protocol):
    def drop(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Active:
    wanted: Wanted
    forward: Forward
    relay: _Relay


class Service:
    """The ports of one Environment. Each call is done when it returns, so that no two get into each other's way."""

    def __init__(self, dialler: Dialler, log: Log) -> None:
        self._dialler = dialler
        self._log = log
        self._active: dict[str, _Active] = {}

    @property
    def ports(self) -> tuple[Forward, ...]:
        """What is relayed now, by name."""
        return tuple(self._active[name].forward for name in sorted(self._active))

    def declare(self, wanted: list[Wanted]) -> Answer:
        """Let the declared ports be these: what is as it was goes on, the rest goes or comes."""
        names = {one.name for one in wanted}
        gone = [name for name, active in self._active.items() if active.wanted.declared and name not in names]
        for name in gone:
            self.remove(name)
        return self._had(wanted)

    def forward(self, wanted: Wanted) -> Answer:
        """Relay one more port; of one that is relayed already under this name nothing changes."""
        if wanted.name in self._active:
            return Answer(ports=self.ports)
        return self._had([wanted])

    def remove(self, name: str) -> bool:
        """Relay this port no more; whether there was one."""
        active = self._active.pop(name, None)
        if active is None:
            return False
        active.relay.close()
        self._log.say(f"port {name}: no longer on {active.forward.address}:{active.forward.host}")
        return True

    def drop(self) -> None:
        """End all connections; the ports stay."""
        for active in self._active.values():
            active.relay.drop()

    def close(self) -> None:
        """Give all ports back."""
        for name in list(self._active):
            self.remove(name)

    def _had(self, wanted: list[Wanted]) -> Answer:
        changed = [one for one in wanted if not self._is_had(one)]
        for one in changed:  # all of them first: two may have changed their ports with each other
            self.remove(one.name)
        failed = [failure for one in changed if (failure := self._have(one)) is not None]
        return Answer(ports=self.ports, failed=tuple(failed))

    def _is_had(self, wanted: Wanted) -> bool:
        active = self._active.get(wanted.name)
        return active is not None and _essence(active.wanted) == _essence(wanted)

    def _have(self, wanted: Wanted) -> Failed | None:
        bound = bind(wanted)
        if isinstance(bound, Failed):
            self._log.say(f"port {wanted.name}: {bound.reason} on {wanted.address}:{wanted.host} {bound.detail}")
            return bound
        forward = wanted.given(bound.port)
        self._active[wanted.name] = _Active(wanted=wanted, forward=forward, relay=self._relay(wanted, bound))
        self._log.say(f"port {wanted.name}: {wanted.address}:{bound.port}/{wanted.protocol} leads to {wanted.guest}")
        return None

    def _relay(self, wanted: Wanted, bound: Bound) -> _Relay:
        if wanted.protocol == "udp":
            return DatagramRelay(bound.sockets, wanted.guest, self._dialler)
        return StreamRelay(bound.sockets, wanted.guest, self._dialler, self._log)


def _essence(wanted: Wanted) -> tuple[object, ...]:
    """Return what a port is but for where it was before: that is tried when it comes into being."""
    return (wanted.guest, wanted.host, wanted.otherwise, wanted.protocol, wanted.address, wanted.declared)
