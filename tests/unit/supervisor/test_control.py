"""What a command asks a Supervisor before it runs and when it has: answered at once where nothing is to be done."""

import asyncio
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


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_a_session_that_rests_is_asked_for_nothing(asked: Asked) -> None:
    asked.session.rests = (b"", TOLD)
    asked.session.now = {**QUIET, "conflicts": [CONFLICT]}
    for flush in (lambda: Flush(asked.path, inward=True).said(), lambda: Flush(asked.path, told=TOLD).said()):
        assert "a conflict" in (asked(flush) or "")
    assert asked.said == []


@pytest.mark.parametrize(
    ("rests", "words", "what"),
    [
        ((), {"inward": True}, "flush 60 inward"),
        ((), {"told": TOLD}, "flush 60"),
        ((b"",), {"told": TOLD}, "flush 60"),
        ((b"", TOLD), {}, "flush 60"),
    ],
)
def test_one_that_may_have_something_to_do_is_waited_for(
    asked: Asked, rests: tuple[bytes, ...], words: dict[str, bool | bytes], what: str
) -> None:
    asked.session.rests = rests
    assert asked(lambda: Flush(asked.path, **words).said()) == ""  # type: ignore[arg-type]
    assert asked.said == [what]


@pytest.mark.parametrize("told", [b"zz", b"00", b"00" * 9, b"\xff" * 16, b""])
def test_what_nobody_can_have_told_is_no_question(asked: Asked, told: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.supervisor.probe.FLUSH", FLUSH_TOLD + told + TOLD_END)
    asked.session.rests = (b"", TOLD)
    assert asked(lambda: Flush(asked.path).said()) is None
    assert asked.said == []
