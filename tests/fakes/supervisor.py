"""Supervisors in memory: they give ports out as the real ones do, and relay nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from devbox.errors import SupervisorError
from devbox.supervisor.binding import SPAN
from devbox.supervisor.order import SyncOrder
from devbox.supervisor.protocol import TAKEN, Answer, Failed, Forward, Wanted

QUIET = {"state": "watching", "reason": "", "settled": True, "pending": 0, "conflicts": [], "kept": [], "troubles": []}
LOST = {"state": "disconnected", "settled": False, "reason": "the guest does not answer"}


@dataclass
class FakeSupervisors:
    """Whoever asks for a port in `taken` gets the next one. `started` counts the starts; `kill` is `kill -9`."""

    taken: set[int] = field(default_factory=set)
    started: int = 0
    store: dict[str, "FakeSupervisor"] = field(default_factory=dict)
    syncing: dict[str, Any] = field(default_factory=dict)  # what every session says of itself, beside QUIET
    lost: int = 0  # for so many more flushes the guest is not there
    differences: list[dict[str, str]] = field(default_factory=list)  # what every session says is not equal
    unanswering: set[str] = field(default_factory=set)  # hashes of those of another devbox

    def alive(self, path_hash: str) -> bool:
        return path_hash in self.store

    def find(self, path_hash: str) -> "FakeSupervisor | None":
        return None if path_hash in self.unanswering else self.store.get(path_hash)

    def start(self, path_hash: str, identity: str, *, relayed: str = "") -> "FakeSupervisor":
        found = self.find(path_hash)
        if found is not None and found.identity == identity:
            return found
        self.end(path_hash)
        self.started += 1
        made = self.store[path_hash] = FakeSupervisor(self, path_hash, identity, pid=1000 + self.started)
        return made

    def end(self, path_hash: str) -> bool:
        self.unanswering.discard(path_hash)
        return self.store.pop(path_hash, None) is not None

    def kill(self, path_hash: str) -> None:
        self.end(path_hash)


@dataclass
class FakeSupervisor:
    """One of them, as long as it is in the store."""

    owner: FakeSupervisors
    path_hash: str
    identity: str
    pid: int
    active: dict[str, tuple[Wanted, Forward]] = field(default_factory=dict)
    order: SyncOrder | None = None
    asked: list[str] = field(default_factory=list)

    def ports(self) -> tuple[Forward, ...]:
        self._require_life()
        return tuple(self.active[name][1] for name in sorted(self.active))

    def declare(self, ports: Sequence[Wanted]) -> Answer:
        names = {port.name for port in ports}
        for name in [name for name, (wanted, _) in self.active.items() if wanted.declared and name not in names]:
            del self.active[name]
        return self._had([port for port in ports if not self._is_had(port)])

    def forward(self, port: Wanted) -> Answer:
        return self._had([] if port.name in self.active else [port])

    def remove(self, name: str) -> Answer:
        self._require_life()
        self.active.pop(name, None)
        return self._had([])

    def sync(self, order: SyncOrder | None) -> bool:
        self._require_life()
        changed, self.order = order != self.order, order
        if order is None and not self.active:
            self.owner.end(self.path_hash)
        return changed

    def ask_sync(self, request: str, **values: object) -> dict[str, Any]:
        self._require_life()
        self.asked.append(request)
        if self.order is None:
            return {"active": False}
        if request == "diff":
            return {"active": True, "entries": self.owner.differences}
        if request == "flush" and self.owner.lost:
            self.owner.lost -= 1
            return {"active": True, "status": {**QUIET, **LOST, "mode": self.order.mode}}
        return {"active": True, "status": {**QUIET, "mode": self.order.mode, **self.owner.syncing}}

    def _is_had(self, port: Wanted) -> bool:
        if port.name not in self.active:
            return False
        was = self.active[port.name][0]
        return replace(was, kept=0) == replace(port, kept=0)

    def _had(self, ports: Sequence[Wanted]) -> Answer:
        self._require_life()
        for port in ports:
            self.active.pop(port.name, None)
        failed = [failure for port in ports if (failure := self._have(port)) is not None]
        answer = Answer(ports=self.ports(), failed=tuple(failed))
        if not answer.ports and self.order is None:
            self.owner.end(self.path_hash)
        return answer

    def _have(self, port: Wanted) -> Failed | None:
        given = {(one.host, one.protocol) for _, one in self.active.values()}
        first = port.host or 49152
        for number in [*([port.kept] if port.kept else []), *range(first, first + SPAN)]:
            if number not in self.owner.taken and (number, port.protocol) not in given:
                self.active[port.name] = (port, port.given(number))
                return None
        return Failed(name=port.name, host=port.host, reason=TAKEN, detail="")

    def _require_life(self) -> None:
        if self.owner.store.get(self.path_hash) is not self:
            raise SupervisorError("the supervisor has gone meanwhile", hint="devbox up")
