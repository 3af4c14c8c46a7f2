"""What is heard of while something is under way, what is tried again, and what is asked for."""

import os
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import pytest

from devbox.sync.core.entry import Side
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.modes import Mode
from devbox.sync.core.names import Guard
from devbox.sync.core.reconcile import Rules
from devbox.sync.endpoint import Answer, Read, Request
from devbox.sync.host import HostEndpoint
from devbox.sync.lately import Lately
from devbox.sync.live import Live
from devbox.sync.memory import Memory
from devbox.sync.scene import Scene
from devbox.sync.troubles import CHANGING
from tests.support.sync_bed import put, tree
from tests.support.sync_desk import desk_at


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    for side in Side:
        (tmp_path / side.value).mkdir()
    ends = {side: HostEndpoint(tmp_path / side.value) for side in Side}
    guard = Guard()
    rules = Rules(mode=Mode.TWO_WAY, way=guard.way)
    memory = Memory(str(tmp_path / "sync.db"))
    bell, rope = os.pipe()
    made = Live(
        memory, rules, Scene(memory.rows, Ignore({}), guard, rules), ends, bell, lately=Lately(), verify_every=0
    )
    yield made
    made.close()
    memory.state.close()
    for end in ends.values():
        end.close()
    for descriptor in (bell, rope):
        os.close(descriptor)


def rest(live: Live) -> None:
    until = time.monotonic() + 10
    while not live.open or live.working or live.unsettled:
        assert time.monotonic() < until
        live.turn(until)


def test_an_edit_in_the_moment_in_which_a_cycle_begins_is_heard_of_at_once(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest(live)
    real, late = live.pump.turn, tmp_path / "host/late"

    def turn(readable: Container[int] | None = None) -> None:
        if readable is None and not late.exists():  # the ends have been heard, and a cycle begins
            late.write_text("late")
        real(readable)

    monkeypatch.setattr(live.pump, "turn", turn)
    put(tmp_path / "host", {"early": "early"})
    began = time.monotonic()
    while not (tmp_path / "guest/late").exists() and time.monotonic() < began + 5:
        live.turn(began + 5)
    assert (tmp_path / "guest/late").read_text() == "late"
    assert time.monotonic() < began + 1, "it came with the next event, or a look at the clock"


def test_a_cycle_that_has_looked_already_does_not_try_it(live: Live) -> None:
    rest(live)
    node = live.scene.rows.need(b"it was there")
    live.scene.troubles.add(node.path, Side.GUEST, CHANGING)
    live.cycle.running = True
    began, turns = time.monotonic(), 0
    while time.monotonic() < began + 0.4:
        live.turn(began + 0.4)
        turns += 1
    assert turns < 20, "it waits for the cycle, not for the time that has passed already"
    assert node not in live.scene.fresh
    assert not any(live.scene.dirty.values())
    live.cycle.running = False
    live.turn(time.monotonic())
    assert live.cycle.running or live.cycle.ended > began, "and then it is its turn at once"


def test_a_small_file_is_asked_for_by_its_size_so_that_many_are_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[bytes, int] = {}
    files = {f"f{number}": "x" * number for number in range(100)}
    with desk_at(tmp_path) as desk:
        desk.scan()
        put(desk.guest, files)
        guest = desk.ends[Side.GUEST]
        real = guest.ask

        def ask(request: Request, done: Callable[[Answer], None]) -> None:
            if isinstance(request, Read) and request.expected is not None:
                asked[request.path] = request.length
            real(request, done)

        monkeypatch.setattr(guest, "ask", ask)
        desk.turn()
        assert tree(desk.host) == tree(desk.guest)
    assert len(asked) > 30  # the others were read along with the look
    assert all(asked[path] == len(files[path.decode()]) for path in asked)
