"""Cycles over two directories of this host, one after another, in the thread of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devbox.sync.core.entry import Side
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.modes import Mode
from devbox.sync.core.names import Guard
from devbox.sync.core.reconcile import Rules
from devbox.sync.cycle import Cycle
from devbox.sync.endpoint import Barrier
from devbox.sync.host import HostEndpoint
from devbox.sync.lately import Lately
from devbox.sync.pump import Ask, Pump, Work
from devbox.sync.rows import Rows
from devbox.sync.scene import Scene
from devbox.sync.undone import Undone

_TURNS = 10_000


class Desk:
    """Two directories and what a session has for them, but for its thread and its clock."""

    def __init__(self, base: Path) -> None:
        self.host, self.guest = base / "host", base / "guest"
        for root in (self.host, self.guest):
            root.mkdir(parents=True, exist_ok=True)
        self.ends = {Side.HOST: HostEndpoint(self.host), Side.GUEST: HostEndpoint(self.guest)}
        self.rows = Rows()
        self.undone = Undone(self.rows)
        self.meet()

    def meet(self) -> None:
        """Begin anew on the same ends, as after a break: with nothing known but the rows."""
        guard = Guard()
        self.scene = Scene(self.rows, Ignore({}), guard, Rules(mode=Mode.TWO_WAY, way=guard.way), self.undone)
        self.pump = Pump(self.ends[Side.HOST], self.ends[Side.GUEST])
        self.cycle = Cycle(self.scene, self.pump, Lately())

    def scan(self) -> None:
        """Look at everything, and do what there is to do."""
        self.run(self.cycle.survey.scan({side: [self.rows.root] for side in Side}))
        self.turn()
        self.turn()  # with what we made watched by then

    def turn(self) -> None:
        """Hear of all that happened, and do one cycle."""
        self.scene.watch_made()
        self.hear()
        self.run(self.cycle.work())
        self.scene.forget_empty()

    def hear(self) -> None:
        """Hear of all that happened."""
        self.run(_barrier())
        for side, end in self.ends.items():
            self.scene.hear(side, end.events())

    def look(self, path: bytes) -> None:
        """Do a cycle as when something happened to a path of the host, or it is tried again."""
        self.scene.dirty[Side.HOST].add(path)
        self.turn()

    def run(self, work: Work[None]) -> None:
        """Do it, and all that it begins."""
        self.pump.start(work)
        for _ in range(_TURNS):
            if self.pump.idle:
                return
            self.pump.turn()
        raise AssertionError("it does not come to an end")

    def close(self) -> None:
        for end in self.ends.values():
            end.close()


@contextmanager
def desk_at(base: Path) -> Iterator[Desk]:
    desk = Desk(base)
    try:
        yield desk
    finally:
        desk.close()


def _barrier() -> Work[None]:
    yield [Ask(side, Barrier()) for side in Side]
