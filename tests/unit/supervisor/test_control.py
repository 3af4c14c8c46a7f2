"""What a command asks a Supervisor before it runs and when it has: answered at once where nothing is to be done."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.supervisor.control import Control
from devbox.supervisor.log import Log
from devbox.supervisor.order import order_document
from devbox.supervisor.probe import FLUSH_TOLD, TOLD_END, Flush
from devbox.supervisor.syncing import SyncService
from tests.unit.supervisor.test_syncing import CONFLICT, ORDER, QUIET, FakeSession

TOLD = b"programs"


class Asked:
    """A Supervisor's control socket with a session behind it, and what the session was asked."""

    def __init__(self, place: Path) -> None:
        self.path = str(place / "supervisor.sock")
        self.said: list[str] = []
        self.session = FakeSession(ORDER, self.said)
        self._syncing = SyncService(lambda _: self.session, Log(str(place / "log")))
        self._syncing.answer("sync.declare", {"order": order_document(ORDER)})
        self.said.clear()

    def __call__(self, question: Callable[[], str | None]) -> str | None:
        async def answered() -> str | None:
            control = Control(None, self._syncing, build="b", identity="i", quit=lambda _: None)  # type: ignore[arg-type]
            async with await asyncio.start_unix_server(control.serve, self.path):
                return await asyncio.to_thread(question)

        return asyncio.run(answered())


def before(path: str) -> str | None:
    with contextlib.closing(Flush(path)) as flush:
        return flush.said()


def after(path: str, told: bytes) -> str | None:
    with contextlib.closing(Flush(path)) as flush:
        assert flush.said() is not None
        return flush.both(told)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_a_session_that_rests_is_asked_for_nothing(asked: Asked) -> None:
    asked.session.rests = (b"", TOLD)
    asked.session.now = {**QUIET, "conflicts": [CONFLICT]}
    assert "a conflict" in (asked(lambda: before(asked.path)) or "")
    assert "a conflict" in (asked(lambda: after(asked.path, TOLD)) or "")
    assert asked.said == []


def test_it_may_be_asked_again_though_it_has_not_waited_for_that(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.supervisor.control.PATIENCE", 0.05)

    def twice() -> str:
        with contextlib.closing(Flush(asked.path)) as flush:
            first = flush.said()
            time.sleep(0.2)
            return f"{first!r} {flush.both()!r} {flush.both(TOLD)!r}"

    assert asked(twice) == "'' '' ''"
    assert asked.said == ["flush 60 inward", "flush 60", "flush 60"]


@pytest.mark.parametrize(
    ("rests", "told", "asked_for"),
    [
        ((), TOLD, ["flush 60 inward", "flush 60"]),
        ((b"",), TOLD, ["flush 60"]),
        ((b"", TOLD), b"", ["flush 60"]),
    ],
)
def test_one_that_may_have_something_to_do_is_waited_for(
    asked: Asked, rests: tuple[bytes, ...], told: bytes, asked_for: list[str]
) -> None:
    asked.session.rests = rests
    assert asked(lambda: after(asked.path, told)) == ""
    assert asked.said == asked_for


@pytest.mark.parametrize("told", [b"zz", b"00", b"00" * 9, b"\xff" * 16, b""])
def test_what_nobody_can_have_told_is_no_question(asked: Asked, told: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.supervisor.probe.FLUSH", FLUSH_TOLD + told + TOLD_END)
    asked.session.rests = (b"", TOLD)
    assert asked(lambda: after(asked.path, b"")) is None
    assert asked.said == []
