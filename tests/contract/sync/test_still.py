"""A session of which nothing has to be asked: whether it rests is seen from outside, and what the guest had told."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbox.agent import wire
from devbox.agent.client import Greeting, dial, receive_first
from devbox.sync import tell, watch
from devbox.sync.core.entry import Side
from devbox.sync.report import Report
from devbox.sync.session import SyncSession
from tests.support.agent import HostAgent, host_agent
from tests.support.sync_bed import Bed, eventually, flushed, put, tree
from tests.support.sync_guest import USER, agent_program, guest_of

TIMES = 30


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A bed whose guest is an agent's, and what is run there."""

    bed: Bed
    agent: HostAgent

    def run(self, *argv: str) -> bytes:
        """Run it to its end; return what EXIT says that the sync program had told."""
        greeting = Greeting(dial(self.agent.path), self.agent.identity)
        message = wire.ExecMessage(argv, user=USER, cwd=str(self.bed.guest))
        frames = greeting.ask(wire.exec_(1, message, window=1 << 16))
        try:
            while True:
                for kind, _, payload in frames:
                    assert kind != wire.FAILED, bytes(payload)
                    if kind == wire.EXIT:
                        assert wire.exit_status(payload) == 0
                        return wire.exit_told(payload)
                first, frames = receive_first(greeting.transport, greeting.decoder)
                frames = iter([first, *frames])
        finally:
            greeting.transport.close()


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with host_agent(argv=[agent_program()]) as agent:
        yield Inside(bed=Bed(tmp_path / "bed", guest_end=lambda root: guest_of(agent, root)), agent=agent)


def at_rest(session: SyncSession) -> Report:
    """Flush until it is seen to rest; it has to save, and to look again, a while after there was something to do."""
    reports: list[Report] = []

    def rests() -> bool:
        reports.append(flushed(session))
        return session.rests(reports[-1].rest)

    eventually(rests)
    return reports[-1]


def test_what_happens_on_the_host_is_seen_at_once(inside: Inside) -> None:
    bed = inside.bed
    put(bed.host, {"a": "one"})
    with bed.running() as session:
        for number in range(TIMES):
            report = at_rest(session)
            put(bed.host, {"a": f"edit {number}"})
            assert not session.rests(report.rest)
            flushed(session)
            assert not session.rests(report.rest), "it was another rest"
            assert tree(bed.guest)["a"] == f"edit {number}".encode()


def test_it_does_not_rest_while_its_host_holds_something_back(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, or a file whose writer has it open, is told of a moment later, and is asked for by a flush."""
    monkeypatch.setattr(watch, "HOLD", 3600 * 10**9)
    bed = inside.bed
    with bed.running() as session:
        at_rest(session)
        for number in range(TIMES):
            (bed.host / f"link {number}").symlink_to("a")
            assert not session.rests(rest_of_one_who_came_too_early(session).rest), "what is held back was not told of"
            assert session.flush(timeout=30, inward=True).settled
            assert (bed.guest / f"link {number}").is_symlink()


def rest_of_one_who_came_too_early(session: SyncSession) -> Report:
    """Return what a flush comes to whose question to the host was answered just before something is held back."""
    live = session._live
    assert live is not None
    eventually(lambda: live.ends[Side.HOST].holds)
    return tell.report(live, settled=True, halted="", files=0, bytes_=0)


def test_a_process_inside_that_changes_nothing_costs_no_question_and_one_that_does_is_noticed(inside: Inside) -> None:
    bed = inside.bed
    put(bed.host, {"a": "one"})
    quiet = 0
    with bed.running() as session:
        for number in range(TIMES):
            report = at_rest(session)
            told = inside.run("true")
            quiet += bool(told) and session.rests(report.rest, told)
            told = inside.run("sh", "-c", f"echo {number} > b; echo {number} > c; rm c")
            if told and session.rests(report.rest, told):
                assert bed.host.joinpath("b").read_text() == f"{number}\n"
            flushed(session)
            assert bed.host.joinpath("b").read_text() == f"{number}\n"
            assert not session.rests(report.rest)
    assert quiet > TIMES // 2


def test_of_two_sync_programs_neither_is_told_of(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with inside.bed.running() as session:
        at_rest(session)
        eventually(lambda: bool(inside.run("true")))
        other = guest_of(inside.agent, tmp_path / "other")
        assert not inside.run("true")
        other.close()
        eventually(lambda: bool(inside.run("true")))


def test_a_session_that_is_paused_does_not_rest_for_anybody(inside: Inside) -> None:
    with inside.bed.running() as session:
        report = at_rest(session)
        session.pause()
        asked = [session.rests(flushed_or_not(session).rest) for _ in range(5)]
        assert not any(asked)
        session.resume()
        assert session.rests(at_rest(session).rest)
        assert not session.rests(report.rest)


def flushed_or_not(session: SyncSession) -> Report:
    return session.flush(timeout=0.2)


def test_any_number_of_threads_may_ask(inside: Inside) -> None:
    with inside.bed.running() as session:
        report = at_rest(session)
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                for _ in range(200):
                    session.rests(report.rest)
            except BaseException as error:  # noqa: BLE001 (it is the test's)
                failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
