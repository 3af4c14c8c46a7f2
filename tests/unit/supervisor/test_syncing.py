"""What the Supervisor has of a session, over one that only remembers what it was asked."""

from pathlib import Path
from typing import Any

import pytest

from devbox.supervisor.log import Log
from devbox.supervisor.order import SyncOrder, order_document
from devbox.supervisor.protocol import ControlError
from devbox.supervisor.syncing import SyncService
from devbox.supervisor.words import notice

ORDER = SyncOrder(host="/h", guest="/g", user="0:0", mode="two-way", git="exclude")
QUIET: dict[str, Any] = {"state": "watching", "reason": "", "settled": True, "pending": 0, "conflicts": []}
CONFLICT = {"path": "a\x1b.txt", "why": "edited on both sides", "host": "file", "guest": "file"}


class FakeSession:
    """Says that all is well."""

    def __init__(self, order: SyncOrder, said: list[str]) -> None:
        self.order = order
        self._said = said
        self.now = dict(QUIET)
        self.alive = True
        self.rests: tuple[bytes, ...] = ()  # what may have been told of when there is nothing to do

    def start(self) -> None:
        self._said.append(f"start {self.order.mode}")

    def stop(self) -> None:
        self._said.append("stop")

    def flush(self, timeout: float, *, inward: bool = False) -> dict[str, Any]:
        self._said.append(f"flush {timeout:g}" + (" inward" if inward else ""))
        return self.now

    def resting(self, told: bytes = b"") -> dict[str, Any] | None:
        return self.now if told in self.rests else None

    def status(self) -> dict[str, Any]:
        return self.now

    def pause(self) -> None:
        self._said.append("pause")

    def resume(self) -> None:
        self._said.append("resume")

    def confirm(self) -> None:
        self._said.append("confirm")

    def resolve(self, path: bytes, side: str) -> dict[str, Any]:
        self._said.append(f"resolve {path!r} {side}")
        return {"found": True}

    def diff(self) -> dict[str, Any]:
        return {"entries": []}

    def verify(self) -> dict[str, Any]:
        return {"differing": []}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def service(tmp_path: Path, said: list[str]) -> SyncService:
    return SyncService(lambda order: FakeSession(order, said), Log(str(tmp_path / "log")))


def _declare(service: SyncService, order: SyncOrder | None) -> dict[str, Any]:
    return service.answer("sync.declare", {"order": None if order is None else order_document(order)})


def test_a_session_begins_ends_and_makes_room_for_another_order_but_not_for_the_same(
    service: SyncService, said: list[str]
) -> None:
    assert service.answer("sync.status", {}) == {"active": False}
    assert service.flushed(inward=True) is None
    assert _declare(service, ORDER) == {"active": True, "changed": True}
    assert _declare(service, ORDER) == {"active": True, "changed": False}
    other = SyncOrder(**{**{name: getattr(ORDER, name) for name in ORDER.__slots__}, "mode": "one-way"})
    assert _declare(service, other)["changed"]
    assert _declare(service, None) == {"active": False, "changed": True}
    assert said == ["start two-way", "stop", "start one-way", "stop"]


def test_one_that_has_ended_by_itself_is_none_and_the_same_order_begins_another(
    tmp_path: Path, said: list[str]
) -> None:
    sessions: list[FakeSession] = []

    def opened(order: SyncOrder) -> FakeSession:
        sessions.append(FakeSession(order, said))
        return sessions[-1]

    service = SyncService(opened, Log(str(tmp_path / "log")))
    _declare(service, ORDER)
    sessions[0].alive = False
    assert not service.active
    assert service.answer("sync.status", {}) == {"active": False}
    assert _declare(service, ORDER) == {"active": True, "changed": True}
    assert said == ["start two-way", "stop", "start two-way"]
    assert service.answer("sync.status", {})["active"]


def test_it_is_asked_and_steered(service: SyncService, said: list[str]) -> None:
    _declare(service, ORDER)
    assert service.answer("sync.flush", {"timeout": 2}) == {"active": True, "status": QUIET}
    assert service.flushed(inward=True) == ""
    assert service.answer("sync.pause", {})["status"] == QUIET
    assert service.answer("sync.resolve", {"path": "caf\udce9", "keep": "guest"}) == {"active": True, "found": True}
    assert said == ["start two-way", "flush 2", "flush 60 inward", "pause", "resolve b'caf\\xe9' guest"]


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("sync.sell", {}),
        ("sync.flush", {"timeout": "1"}),
        ("sync.flush", {"timeout": -1}),
        ("sync.flush", {"timeout": True}),
        ("sync.resolve", {"path": "a", "keep": "both"}),
        ("sync.resolve", {"path": 1, "keep": "host"}),
        ("sync.declare", {"order": {"mode": 1}}),
    ],
)
def test_what_is_not_understood_is_refused(service: SyncService, op: str, message: dict[str, Any]) -> None:
    _declare(service, ORDER)
    with pytest.raises(ControlError):
        service.answer(op, message)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"state": "paused"}, "sync is paused; devbox sync resume"),
        ({"state": "halted", "reason": "on the host: gone"}, "sync has stopped and changes nothing: on the host: gone"),
        ({"conflicts": [CONFLICT]}, "sync has a conflict: a\\x1b.txt edited on both sides"),
        ({"conflicts": [CONFLICT, CONFLICT]}, "sync has 2 conflicts, the first is a\\x1b.txt"),
        ({"settled": False, "pending": 7}, "sync is not done yet, 7 paths are on their way"),
        ({"state": "disconnected", "settled": False}, "sync has lost the environment"),
    ],
)
def test_what_a_command_says_of_it_is_one_line_fit_for_a_terminal(change: dict[str, Any], words: str) -> None:
    found = notice({**QUIET, **change})
    assert found.startswith(words)
    assert found.isprintable()
    assert bool(found) == bool(change)
