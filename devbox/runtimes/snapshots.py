"""Snapshots of an Instance: what they are, and what can be done with them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devbox.errors import SnapshotError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One that is kept. `saved`: seconds since the epoch; `size`: bytes that its files take here.

    `running`: what ran is kept as well; `pushed`: nobody gave it its name; `mark`: the saver's own.
    `problem`: why it is of no use, in words; empty for nothing.
    """

    name: str
    saved: int
    size: int
    running: bool
    pushed: bool
    mark: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A snapshot that is to be. `attached`: a file that is kept with it; `replace`: of one with its name, the other."""

    name: str
    mark: str = ""
    pushed: bool = False
    attached: Path | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A snapshot that is to be what the Instance is. `running`: what ran in it too, if it was kept.

    `attached`: where the file goes that was kept with it. `before`: called when all of it has been looked at and lies
    ready, while what is there still runs.
    """

    name: str
    attached: Path
    before: Callable[[], None]
    running: bool = True


class Snapshots(Protocol):
    """Those of one Instance, and of those that were in its place before. What is changed needs the Workspace's lock."""

    def all(self) -> tuple[Snapshot, ...]:
        """Return them, the oldest first."""

    def save(self, wish: Wish) -> Snapshot:
        """Keep how it is, and what runs in it if it runs or was saved; it goes on as before.

        `UsageError` for a name that is taken, `SnapshotError` or `MachineError` if it cannot be kept; then nothing is.
        """

    def restore(self, back: Return) -> Snapshot:
        """Let it be as it was, stopped; what was kept of what ran goes on when it is started.

        What has changed inside since is gone. `UsageError` if there is none, `SnapshotError` if it cannot be; then all
        is as it was, and `before` was not called.
        """

    def delete(self, name: str) -> Snapshot:
        """Take one away; the others stay whole. `UsageError` if there is none."""


def not_there(name: str) -> UsageError:
    """Return the refusal of a name that no snapshot has."""
    return UsageError(f"there is no snapshot {name}", hint="devbox snapshot list")


def taken(name: str) -> UsageError:
    """Return the refusal of a name that a snapshot has already."""
    return UsageError(
        f"there is a snapshot {name} already",
        hint=f"another name, or in its place: devbox snapshot save {name} --force",
    )


def nothing_to_keep(name: str) -> SnapshotError:
    """Return the refusal to keep an Instance that has never been started."""
    return SnapshotError(f"{name} has never been started, so there is nothing to keep", hint="devbox up")


def damaged(name: str, why: str) -> SnapshotError:
    """Return the refusal of a snapshot that is of no use."""
    return SnapshotError(f"the snapshot {name} is damaged: {why}", hint=f"take it away: devbox snapshot delete {name}")
