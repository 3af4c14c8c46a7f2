"""What may come from a guest as a name, and what a guest may not change on the host."""

from collections.abc import Iterable

from devbox.sync.core.entry import Entry
from devbox.sync.core.modes import Git, Way

OURS = b".devbox"  # of a root: never synced
TEMPORARY = b".devbox-tmp-"  # in any directory: never synced


def is_name(name: bytes) -> bool:
    """Whether a side may say that a directory has this name. If not, it is not an honest one."""
    raise NotImplementedError


def is_path(path: bytes) -> bool:
    """Whether it is a path of names, relative and not the root."""
    raise NotImplementedError


def unfit(name: bytes, *, unicode: bool) -> str | None:
    """Why a host whose names must be `unicode` cannot have this name; None if it can."""
    raise NotImplementedError


def fold(name: bytes) -> bytes:
    """The same for two names that some host takes for one: case, and how letters are composed."""
    raise NotImplementedError


def escapes(path: bytes, target: bytes) -> bool:
    """Whether a link at `path` leads out of the root, by the text of it alone."""
    raise NotImplementedError


def holds_git(path: bytes) -> bool:
    """Whether this is a lock by which git says that it works on the tree: the session waits while one is there."""
    raise NotImplementedError


class Guard:
    """Which paths have a rule of their own.

    `allow`: patterns as in .gitignore of what the guest may write all the same. `more`: paths that are protected as
    well (files that the profile includes).
    """

    def __init__(self, git: Git = Git.HOST_TO_GUEST, allow: Iterable[str] = (), more: Iterable[bytes] = ()) -> None:
        raise NotImplementedError

    def way(self, path: bytes, guest: Entry | None) -> Way:
        """The rule for a path; `guest`: what the guest has or wants there."""
        raise NotImplementedError
