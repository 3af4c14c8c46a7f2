"""What a SyncSession is told and what it tells: plain values, that go over a socket as they are."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from devbox.sync.core.modes import Git, Mode
from devbox.sync.still import NEVER


class Doing(Enum):
    """What a session does."""

    STARTING = "starting"
    SCANNING = "scanning"
    SYNCING = "syncing"
    WATCHING = "watching"
    PAUSED = "paused"
    HALTED = "halted"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something to be told when a path that matches changes. `paths`: patterns as in .gitignore."""

    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to sync; see `core.modes`, `core.ignore` and `core.names` for what the values mean."""

    mode: Mode = Mode.TWO_WAY
    ignore: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    git: Git = Git.HOST_TO_GUEST
    allow: tuple[str, ...] = ()  # protected paths that the guest may write all the same
    protect: tuple[str, ...] = ()  # paths that are protected as well
    on_change: tuple[Rule, ...] = ()
    machine: str = ""  # the name by which the session shares the host's directory with others of one project
    verify_every: float = 900.0  # seconds between two looks at everything, 0: never


class Difference(NamedTuple):
    """A path that is not the same on both sides. `host`, `guest`: what is there, for people; "" for nothing."""

    path: str
    why: str
    host: str = ""
    guest: str = ""
    since: int = 0


class Trouble(NamedTuple):
    """A path with which something does not work. `side`: host or guest."""

    path: str
    side: str
    text: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a flush came to. `settled`: nothing is left to do but what is listed here.

    `rest`: what `SyncSession.rests` tells of, if it was then at rest.
    """

    settled: bool
    halted: str = ""
    conflicts: tuple[Difference, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    files: int = 0
    bytes: int = 0
    rest: int = NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a session does and knows. Times are seconds since 1970, 0 for never."""

    doing: Doing
    reason: str = ""
    mode: str = ""
    entries: int = 0
    pending: int = 0
    files: int = 0
    bytes: int = 0
    removed: int = 0
    moved: int = 0
    conflicts: tuple[Difference, ...] = ()
    kept: tuple[Difference, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    warnings: tuple[str, ...] = ()
    last_cycle: int = 0
    last_verify: int = 0
    changed: tuple[str, ...] = field(default=())


def shown(path: bytes) -> str:
    """Return a path for people and sockets; bytes that are no text survive as in file names of Python."""
    return path.decode(errors="surrogateescape")


def taken(path: str) -> bytes:
    """Return the path that was shown as this."""
    return path.encode(errors="surrogateescape")
