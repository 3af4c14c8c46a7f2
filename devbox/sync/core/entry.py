"""What is at a path of a tree, as far as it is synced, and what a file system tells of it.

Paths are bytes, relative to the root of the tree, with "/" between their names; `b""` is the root itself.
"""

from enum import Enum
from struct import Struct
from typing import Final, NamedTuple


class Side(Enum):
    """One end of a SyncSession."""

    HOST = "host"
    GUEST = "guest"

    # There is one of each: by what it is, not by its name, which the enum's own would ask for in Python each time.
    __hash__ = object.__hash__

    @property
    def other(self) -> "Side":
        """The opposite one."""
        return Side.GUEST if self is Side.HOST else Side.HOST


class Kind(Enum):
    """What an entry is. OTHER (fifo, socket, device, what cannot be read) is never touched, and keeps its parents."""

    DIRECTORY = "d"
    FILE = "f"
    LINK = "l"
    OTHER = "o"


class Entry(NamedTuple):
    """What is at a path. Two sides agree if their entries are equal; where nothing is, there is None instead.

    `digest`: BLAKE2b of 32 bytes of a file's content; b"" while nobody had to know it. `executable`: of a file, by
    its owner. `target`: of a link, never followed. `reason`: why an OTHER is one, for people.
    """

    kind: Kind
    digest: bytes = b""
    executable: bool = False
    target: bytes = b""
    reason: str = ""


class Stamp(NamedTuple):
    """By what a file system shows that something changed: `st_mode`, bytes, nanoseconds, inode.

    The change time is in it, so that a write of the same size with its old modification time is seen.
    """

    mode: int
    size: int
    mtime: int
    ctime: int
    inode: int


PACKED: Final = Struct("<IQqqQ")  # a Stamp in 36 bytes, as it is said on the line and remembered


def size_of(packed: bytes) -> int:
    """Return the `size` of a packed Stamp."""
    return int.from_bytes(packed[4:12], "little")
