"""What a SyncSession asks of each of its two ends: one set of requests, and events that come by themselves.

Every request that changes something says what it expects to find (`expected`: the Stamp of what is there, None for
nothing) and does nothing but answer CHANGED if there is something else, also in the moment of the change itself.
Of a directory, only kind and inode are compared: its times change with what happens in it. What a request leaves at
its path (at `to`, of Rename) is the answer's `stamp`; with CHANGED it is what was found there, None for nothing.
Nothing outside the root is read or written, and no link in a path is followed.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from devbox.sync.core.entry import Stamp, size_of

CHUNK = 256 * 1024  # most bytes of content in one request or answer
SMALL = 128 * 1024  # up to here a file goes in one piece


class Code(Enum):
    """How a request went. FAILED: `errno` says why; REFUSED: a name or request that no honest side makes."""

    DONE = 0
    CHANGED = 1
    FAILED = 2
    REFUSED = 3


NOTHING_KNOWN: Final[Mapping[bytes, bytes | None]] = MappingProxyType({})


class Found(NamedTuple):
    """One name of a directory, or what a path is. `target`: of a link."""

    name: bytes
    stamp: Stamp
    target: bytes = b""


class Content(NamedTuple):
    """What is in a file, and its digest."""

    data: bytes
    digest: bytes


class Answer(NamedTuple):
    """What came of a request. What is not asked for by its kind is empty.

    `stamp`: of what is there now. `data`: content, or digests. `found`: of List and Stat. `same`, `watch`: of List.
    `room`: bytes free, if the failure was for want of room. `contents`, `stamps` (packed): of Gather and Plant, one for
    each of their files, None of one with which it did not go as it should.
    """

    code: Code = Code.DONE
    errno: int = 0
    stamp: Stamp | None = None
    data: bytes = b""
    found: tuple[Found, ...] = ()
    watch: int = 0
    room: int = 0
    same: tuple[bytes, ...] = ()
    contents: tuple[Content | None, ...] = ()
    stamps: tuple[bytes | None, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.code is Code.DONE


class Identity(NamedTuple):
    """What root this is: it changes when the root is made anew, also at the same path.

    `nonce`: what the session has left in it, b"" where it has not. `device`, `inode`, `birth`: of its directory.
    """

    nonce: bytes
    device: int
    inode: int
    birth: int


class Stat(NamedTuple):
    """Look at a path: one `found` (its name is empty), or none."""

    path: bytes


class List(NamedTuple):
    """Look at what is in a directory. `watch`: and tell of changes from before the look on, by the number answered.

    `contents`: and with what small files have by then, where the end can. The number is -1 where no more watches are
    to be had (the look is complete all the same). Names whose stamp,
    packed, is what `known` says are not `found` but `same`.
    """

    path: bytes
    watch: bool = False
    known: Mapping[bytes, bytes | None] = NOTHING_KNOWN
    contents: bool = False


class Hash(NamedTuple):
    """The digest of a file's content, as `data`; of each block of `block` bytes, one after another, if not 0."""

    path: bytes
    expected: Stamp
    block: int = 0


class Read(NamedTuple):
    """`length` bytes of a file from `offset` on. CHANGED also if it changes meanwhile.

    `expected` None: of whatever file is there (CHANGED if it is none); the answer's `stamp` says which it was. So an
    edit costs one look and no more.
    """

    path: bytes
    expected: Stamp | None
    offset: int
    length: int


class Put(NamedTuple):
    """Have a whole file, of at most CHUNK bytes, in place in one step; on the disk after `Settle`. `mtime`: ns.

    `keep`: what it replaces goes to the trash under this name, if not empty. CHANGED if the content does not have
    this digest.
    """

    path: bytes
    expected: Stamp | None
    data: bytes
    digest: bytes
    executable: bool
    mtime: int
    keep: bytes = b""


class Gather(NamedTuple):
    """Read whole files of one directory, by name, each with this stamp (packed) and of at most SMALL bytes."""

    path: bytes
    files: tuple[tuple[bytes, bytes], ...]

    @property
    def weight(self) -> int:
        """How many bytes of content they have."""
        return sum([size_of(stamp) for _, stamp in self.files])


class Seed(NamedTuple):
    """A new file, as Put has it."""

    name: bytes
    data: bytes
    digest: bytes
    executable: bool
    mtime: int


class Plant(NamedTuple):
    """Put some new files into one directory, each as by a Put of its own that expects nothing."""

    path: bytes
    files: tuple[Seed, ...]

    @property
    def weight(self) -> int:
        """How many bytes of content they have."""
        return sum([len(one.data) for one in self.files])

    def puts(self) -> Iterator[Put]:
        """Those."""
        prefix = self.path + b"/" if self.path else b""
        for name, data, digest, executable, mtime in self.files:
            yield Put(prefix + name, None, data, digest, executable, mtime)


class Begin(NamedTuple):
    """Begin a big file, out of sight, under the number `handle` of the asker's choice.

    What an earlier session left under the same path and `digest` is taken up: `stamp.size` says how much is there.
    """

    handle: int
    path: bytes
    digest: bytes


class Chunk(NamedTuple):
    """Some of its content, at `offset`."""

    handle: int
    offset: int
    data: bytes


class Copy(NamedTuple):
    """The same, out of what is at `path` now."""

    handle: int
    path: bytes
    expected: Stamp
    source: int
    offset: int
    length: int


class Commit(NamedTuple):
    """Have it in place, as Put; `size` is what it must have by now. Any answer ends the handle."""

    handle: int
    path: bytes
    expected: Stamp | None
    size: int
    digest: bytes
    executable: bool
    mtime: int
    keep: bytes = b""


class Abort(NamedTuple):
    """Leave it; what came so far stays for a later Begin unless `forget`."""

    handle: int
    forget: bool = True


class MakeDirectory(NamedTuple):
    """Have a new directory."""

    path: bytes


class MakeLink(NamedTuple):
    """Have a symbolic link, as Put has a file."""

    path: bytes
    expected: Stamp | None
    target: bytes
    keep: bytes = b""


class Remove(NamedTuple):
    """Have nothing there: a file, a link, or a directory that is empty. `keep` as in Put."""

    path: bytes
    expected: Stamp
    keep: bytes = b""


class Rename(NamedTuple):
    """Have it under another name, where nothing is."""

    path: bytes
    expected: Stamp
    to: bytes


class SetExecutable(NamedTuple):
    """Let a file be executable, or not."""

    path: bytes
    expected: Stamp
    executable: bool


class Mark(NamedTuple):
    """Leave `nonce` in the root, as `identity.nonce` of whoever opens it from now on."""

    nonce: bytes


class Barrier(NamedTuple):
    """Answer when all that happened in the tree before this has been told by events."""


class Settle(NamedTuple):
    """Have all that was put in place before this on the disk, with its name, where that is for this end to do.

    FAILED: nobody knows what of it is there.
    """


Request = (
    Stat
    | List
    | Hash
    | Read
    | Put
    | Gather
    | Plant
    | Begin
    | Chunk
    | Copy
    | Commit
    | Abort
    | MakeDirectory
    | MakeLink
    | Remove
    | Rename
    | SetExecutable
    | Mark
    | Barrier
    | Settle
)


class Event(NamedTuple):
    """Something happened to `name` in the directory of List's number `watch`; or to the directory itself (b"").

    `watch` -1: nobody knows what happened, all must be looked at (the queue of events ran over). Temporary names of
    ours are not told of. A file that is being written is told of when its writer closes it (so that one save is one
    change, and never the empty file before it), if he does not after a tenth of a second, and by Barrier.

    `stamp`, `data`: what it was a moment ago, as a Read would have said, where the end tells of it by itself. It is
    from after all answers that came before it, and void with the next answer to what may have changed it.
    """

    watch: int
    name: bytes
    stamp: Stamp | None = None
    data: bytes = b""


class Endpoint(Protocol):
    """One end. Not for two threads at once. `OSError` from any method: the end is gone."""

    @property
    def identity(self) -> Identity:
        """What root it has."""

    def fileno(self) -> int:
        """A descriptor that is readable when `process` has something to do."""

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Do this, after all that was asked before; `done` is called from here or from a later `process`."""

    def process(self) -> None:
        """Take what has come, without waiting: call `done`s, gather events."""

    def events(self) -> Iterator[Event]:
        """Take the events that have come, in their order."""

    @property
    def holds(self) -> bool:
        """Whether something has happened that it has seen and tells of later, or when it is asked by Barrier."""

    def has_told(self, told: bytes) -> bool:
        """Whether all has come of which the guest's agent says that it has been told; False if that is not known."""

    def close(self) -> None:
        """Give it back."""
