"""What a scenario plays on: a pair of trees that something keeps in sync, and what was not as it should be."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from tests.sync.trees import HostTree, Look, Thing, Tree


class Can(Enum):
    """What can be done with a pair beyond working in its trees."""

    MODES = auto()  # it can be made in another mode
    TELL = auto()  # it tells of each path what is wrong with it
    RESOLVE = auto()  # conflicts can be decided
    CUT = auto()  # the way between the two can be cut at any request
    TAP = auto()  # its requests can be seen and be acted upon
    BRAKE = auto()  # it asks before it deletes much
    TRASH = auto()  # what it replaces is kept
    STOP = auto()  # it can be killed at each step that it takes, and begun again
    SMALL = auto()  # it can be put on a small disk
    LOCK = auto()  # a second one on the same tree can be tried
    PAUSE = auto()  # the guest can be frozen and be started again
    USERS = auto()  # the guest's side can be another user than root
    LINE = auto()  # it goes over a line that can be cut, or lose what is on it
    LOCAL = auto()  # both ends are in this process


class Pair(Protocol):
    """Two trees in the hands of one program."""

    name: str
    can: frozenset[Can]
    host: HostTree
    guest: Tree

    def settle(self) -> None:
        """Let it do what it has to, and return when it is done."""

    def held(self) -> AbstractContextManager[None]:
        """Let it do nothing meanwhile."""

    def conflicts(self) -> set[str]:
        """Return the paths that it left alone since both sides have something else."""

    def recreate(self, script: str) -> None:
        """Have a new directory in the guest's place, made by a script: an environment that was made anew."""


@dataclass(kw_only=True)
class Stage:
    """A pair, and what a scenario found."""

    pair: Pair
    wrong: list[str] = field(default_factory=list)

    @property
    def host(self) -> Callable[[str], str]:
        """Run a script in the host's tree."""
        return self.pair.host.sh

    @property
    def guest(self) -> Callable[[str], str]:
        """Run a script in the guest's tree."""
        return self.pair.guest.sh

    def given(self, script: str) -> None:
        """Have both sides like this; the host makes it."""
        self.host(script)
        self.settle()
        self.same()

    def settle(self) -> None:
        self.pair.settle()

    def play(self, *, host: str = "true", guest: str = "true") -> None:
        """Let both sides do something at the same time, and what syncs them come to rest."""
        self.at_once(host=host, guest=guest)
        self.settle()

    def at_once(self, *, host: str = "true", guest: str = "true") -> None:
        """Let both sides do something before what syncs them sees any of it."""
        with self.pair.held():
            self.host(host)
            self.guest(guest)

    def expect(self, right: object, wrong: str) -> None:
        """Note what is `wrong` unless it is `right`."""
        if not right and wrong not in self.wrong:
            self.wrong.append(wrong)

    def same(self) -> None:
        """Both sides must have the same."""
        found = differences(self.pair.host.look(), self.pair.guest.look())
        self.expect(not found, f"the sides differ: {', '.join(found[:4])}")

    def both(self, paths: Mapping[str, str | None]) -> None:
        """Both sides must have this at these paths; None: nothing."""
        self.on("host", paths)
        self.on("guest", paths)

    def on(self, side: str, paths: Mapping[str, str | None]) -> None:
        """One side must have this at these paths. "/" is any directory, "> target" a link."""
        look = self.pair.host.look() if side == "host" else self.pair.guest.look()
        for path, wanted in paths.items():
            found = _said(look.get(path))
            self.expect(found == wanted, f"{side}: {path} {_told(found)} instead of {_told(wanted)}")

    def kept(self, *contents: str) -> None:
        """These contents must still be somewhere: at a path of either side, or put aside."""
        have = {thing.data.strip() for side in (self.pair.host, self.pair.guest) for thing in side.look().values()}
        have |= {data.strip() for side in (self.pair.host, self.pair.guest) for data in side.trash()}
        lost = [repr(content) for content in contents if content.encode() not in have]
        self.expect(not lost, f"LOST: {', '.join(lost[:2])}{f' and {len(lost) - 2} more' if len(lost) > 2 else ''}")

    def conflict(self, *paths: str) -> None:
        """Exactly these paths must be told to be in conflict, if the pair tells at all."""
        if Can.TELL in self.pair.can:
            found = self.pair.conflicts()
            self.expect(found == set(paths), f"conflicts at {sorted(found)} instead of {sorted(paths)}")


def differences(host: Look, guest: Look) -> list[str]:
    """Return in words what differs."""
    return [
        f"{path} {_told(_said(host.get(path)))} on the host, {_told(_said(guest.get(path)))} on the guest"
        for path in sorted(host.keys() | guest.keys())
        if host.get(path) != guest.get(path)
    ]


def _said(thing: Thing | None) -> str | None:
    if thing is None:
        return None
    match thing.kind:
        case "directory":
            return "/"
        case "link":
            return f"> {thing.text}"
        case "file":
            return thing.text.removesuffix("\n")
        case kind:
            return f"({kind})"


def _told(said: str | None) -> str:
    return "is missing" if said is None else f"is {said!r}"


Play = Callable[[Stage], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One of the acceptance matrix. `number`: its row; `right`: what must come of it."""

    number: int
    name: str
    title: str
    right: str
    play: Play
    needs: frozenset[Can]
    mode: str
    ignore: tuple[str, ...]
    nightly: bool
    only: frozenset[str]

    @property
    def id(self) -> str:
        return f"{self.number:02}-{self.name}"


ALL: list[Scenario] = []


def scenario(
    number: int,
    title: str,
    right: str,
    *,
    needs: Iterable[Can] = (),
    mode: str = "two-way",
    ignore: Iterable[str] = (),
    nightly: bool = False,
    only: Iterable[str] = (),
) -> Callable[[Play], Play]:
    """Put a scenario into the matrix. `only`: the pairs for which it makes sense, else all."""

    def add(play: Play) -> Play:
        wanted = frozenset(needs) | (frozenset() if mode == "two-way" else {Can.MODES})
        ALL.append(
            Scenario(
                number=number,
                name=play.__name__.replace("_", "-"),
                title=title,
                right=right,
                play=play,
                needs=wanted,
                mode=mode,
                ignore=tuple(ignore),
                nightly=nightly,
                only=frozenset(only),
            )
        )
        return play

    return add
