"""The host's end of a SyncSession: a directory of this host."""

import contextlib
import errno
import os
import selectors
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from devbox import confined
from devbox.confined import Root
from devbox.sync.birth import birth
from devbox.sync.content import after, digests, open_expected, require_unchanged, write
from devbox.sync.core.entry import PACKED
from devbox.sync.endpoint import (
    CHUNK,
    Abort,
    Answer,
    Barrier,
    Begin,
    Chunk,
    Code,
    Commit,
    Copy,
    Event,
    Found,
    Gather,
    Hash,
    Identity,
    List,
    MakeDirectory,
    MakeLink,
    Mark,
    Plant,
    Put,
    Read,
    Remove,
    Rename,
    Request,
    SetExecutable,
    Settle,
    Stat,
)
from devbox.sync.many import gather, plant
from devbox.sync.puts import Puts, Unsettled
from devbox.sync.readers import Readers
from devbox.sync.swap import NOTHING_THERE, ChangedError, Changer, file_mode, look, stamp_of, temporary_name
from devbox.sync.upload import Uploads
from devbox.sync.watch import NONE, Watcher, watcher

NONCE = b"sync-id"  # in the directory that is ours
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_LONGEST_NONCE = 256
_DIRECTORY = 0o755  # mode of a new one
_NAMES, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


class RootGoneError(OSError):
    """The root is no longer at its path: unmounted, renamed, removed, or another one is there."""


class HostEndpoint:
    """A directory of this host as an `Endpoint`."""

    def __init__(self, path: str | bytes | os.PathLike[str], *, watch: Watcher | None = None) -> None:
        self._path = Path(os.fsdecode(path))
        self._root = Root(path)
        with contextlib.ExitStack() as opened:
            opened.callback(self._root.close)
            self._watch = watch or watcher()
            opened.callback(self._watch.close)
            self._ready = selectors.DefaultSelector()
            opened.pop_all()
        self._ready.register(self._watch, selectors.EVENT_READ)
        self._readers = Readers(self._root, self._answer, self._ready)
        self._changer = Changer(self._root)
        self._unsettled = Unsettled(self._root)
        self._uploads = Uploads(self._root, self._changer, self._unsettled)
        self._handlers: dict[type[Request], Callable[..., Answer]] = {
            Stat: self._stat,
            List: self._list,
            Hash: self._hash,
            Read: self._read,
            Gather: partial(gather, self._root),
            Put: Puts(self._changer, self._unsettled).put,
            Begin: self._uploads.begin,
            Chunk: self._uploads.chunk,
            Copy: self._uploads.copy,
            Commit: self._uploads.commit,
            Abort: self._uploads.abort,
            MakeDirectory: self._make_directory,
            MakeLink: self._make_link,
            Remove: self._remove,
            Rename: self._rename,
            SetExecutable: self._set_executable,
            Mark: self._mark,
            Barrier: self._barrier,
            Settle: self._settle,
        }

    @property
    def identity(self) -> Identity:
        """What root it has."""
        found = os.fstat(self._root.descriptor)
        return Identity(self._nonce(), found.st_dev, found.st_ino, birth(self._root.descriptor))

    def fileno(self) -> int:
        """A descriptor that is readable when something happened in the tree."""
        return self._ready.fileno()

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Do this; `done` is called before it returns, unless much has to be read."""
        if isinstance(request, Plant):
            plant(request, self.ask, done)
        elif isinstance(request, Gather):
            self._readers.ask(request, done)
        else:
            done(self._answer(request))

    def process(self) -> None:
        """Gather events, and what was read."""
        self._watch.gather()
        self._readers.process()

    def events(self) -> Iterator[Event]:
        """Take the events that have come, in their order."""
        return self._watch.events()

    @property
    def holds(self) -> bool:
        """Whether something has happened that is told of later."""
        return self._watch.holds

    def has_told(self, told: bytes) -> bool:  # noqa: ARG002 (the protocol's)
        """Nobody counts what this one tells."""
        return False

    def close(self) -> None:
        """Give the handles back."""
        self._readers.close()
        self._ready.close()
        self._unsettled.close()
        self._uploads.close()
        self._watch.close()
        self._root.close()

    def _answer(self, request: Request) -> Answer:
        try:
            return self._handlers[type(request)](request)
        except ChangedError as changed:
            return Answer(Code.CHANGED, stamp=changed.stamp)
        except confined.RefusedError:
            return Answer(Code.REFUSED)
        except RootGoneError:
            raise
        except OSError as error:
            return Answer(Code.FAILED, errno=error.errno or errno.EIO, room=self._room(error))

    def _room(self, error: OSError) -> int:
        if error.errno not in _NO_ROOM:
            return 0
        found = os.fstatvfs(self._root.descriptor)
        return found.f_bavail * found.f_frsize

    def _require_root(self) -> None:
        """`RootGoneError` unless the root's path still leads to it."""
        try:
            there = self._path.stat()
        except OSError as error:
            raise RootGoneError(error.errno, error.strerror) from error
        if not os.path.samestat(there, os.fstat(self._root.descriptor)):
            raise RootGoneError(errno.ESTALE, os.strerror(errno.ESTALE))

    def _stat(self, request: Stat) -> Answer:
        if not request.path:
            self._require_root()
            return _found(Found(b"", stamp_of(os.fstat(self._root.descriptor))))
        try:
            with self._root.place(request.path) as place:
                found = place.look()
                if found is None:
                    return Answer()
                return _found(_entry(place.directory, place.name, b"", found))
        except OSError as error:
            if error.errno in NOTHING_THERE:
                return Answer()
            raise

    def _list(self, request: List) -> Answer:
        if not request.path:
            self._require_root()
        directory = self._root.directory(request.path)
        try:
            # The watch first: what is put there after the look on it is told of.
            watch = self._watch.add(directory, request.path) if request.watch else NONE
            same: list[bytes] = []
            found = tuple(_entries(directory, request.known, same))
            return Answer(stamp=stamp_of(os.fstat(directory)), found=found, watch=watch, same=tuple(same))
        finally:
            os.close(directory)

    def _hash(self, request: Hash) -> Answer:
        descriptor, stamp = open_expected(self._root, request.path, request.expected)
        try:
            found = b"".join(digests(descriptor, request.block))
            require_unchanged(descriptor, stamp)
        finally:
            os.close(descriptor)
        return Answer(stamp=stamp, data=found)

    def _read(self, request: Read) -> Answer:
        if not 0 <= request.length <= CHUNK or request.offset < 0:
            raise confined.RefusedError("more than one piece")
        descriptor, stamp = open_expected(self._root, request.path, request.expected)
        try:
            data = os.pread(descriptor, request.length, request.offset)
            require_unchanged(descriptor, stamp)
        finally:
            os.close(descriptor)
        return Answer(stamp=stamp, data=data)

    def _make_directory(self, request: MakeDirectory) -> Answer:
        with self._root.place(request.path) as place:
            try:
                os.mkdir(place.name, _DIRECTORY, dir_fd=place.directory)
            except FileExistsError as error:
                raise ChangedError(look(place)) from error
            descriptor = self._root.directory(request.path)
            try:
                os.fchmod(descriptor, _DIRECTORY)  # whatever the umask: it is the Supervisor's, and nobody else's
                self._changer.owner.give(descriptor)
                return Answer(stamp=stamp_of(os.fstat(descriptor)))
            finally:
                os.close(descriptor)

    def _make_link(self, request: MakeLink) -> Answer:
        if not request.target or b"\0" in request.target:
            raise confined.RefusedError("a link to nowhere")
        with self._changer.place(request.path, request.expected, request.keep) as place:
            self._changer.require(place, request.expected)
            temporary = temporary_name()
            os.symlink(request.target, temporary, dir_fd=place.directory)
            self._changer.install(place, temporary, request.expected, request.keep)
            return Answer(stamp=look(place))

    def _remove(self, request: Remove) -> Answer:
        with self._changer.place(request.path, request.expected, request.keep) as place:
            self._changer.remove(place, request.expected, request.keep)
        return Answer()

    def _rename(self, request: Rename) -> Answer:
        with self._changer.place(request.path, request.expected) as place, self._root.place(request.to) as to:
            return Answer(stamp=self._changer.rename(place, request.expected, to))

    def _set_executable(self, request: SetExecutable) -> Answer:
        descriptor, stamp = open_expected(self._root, request.path, request.expected)
        try:
            mode = file_mode(stamp.mode, executable=request.executable)
            os.fchmod(descriptor, mode)
            return Answer(stamp=after(descriptor, stamp._replace(mode=stat.S_IFREG | mode)))
        finally:
            os.close(descriptor)

    def _mark(self, request: Mark) -> Answer:
        if not 0 < len(request.nonce) <= _LONGEST_NONCE:
            raise confined.RefusedError("a nonce of no sense")
        directory = self._changer.open_ours()
        try:
            temporary = temporary_name()
            descriptor = confined.create(directory, temporary)
            try:
                self._changer.owner.give(descriptor)
                write(descriptor, request.nonce)
                os.fsync(descriptor)
                os.rename(temporary, NONCE, src_dir_fd=directory, dst_dir_fd=directory)
            finally:
                os.close(descriptor)
        finally:
            os.close(directory)
        return Answer()

    def _nonce(self) -> bytes:
        with contextlib.suppress(OSError):
            directory = self._root.directory(b".devbox")
            try:
                descriptor = confined.open_file(directory, NONCE)
                try:
                    return os.pread(descriptor, _LONGEST_NONCE, 0)
                finally:
                    os.close(descriptor)
            finally:
                os.close(directory)
        return b""

    def _barrier(self, _request: Barrier) -> Answer:
        self._require_root()
        self._watch.settle()
        return Answer()

    def _settle(self, _request: Settle) -> Answer:
        self._unsettled.settle()
        return Answer()


def _found(found: Found) -> Answer:
    return Answer(found=(found,))


def _entry(directory: int, there: bytes, name: bytes, found: os.stat_result) -> Found:
    if not stat.S_ISLNK(found.st_mode):
        return Found(name, stamp_of(found))
    try:
        return Found(name, stamp_of(found), os.readlink(there, dir_fd=directory))
    except OSError:  # it is no link any more
        return _entry(directory, there, name, os.stat(there, dir_fd=directory, follow_symlinks=False))


def _entries(directory: int, known: Mapping[bytes, bytes | None], same: list[bytes]) -> Iterator[Found]:
    """Look at each name; one that goes away meanwhile is none."""
    pack = PACKED.pack
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name.encode(_NAMES, _ERRORS)  # as os.fsencode, which is slower
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if name in known:
                mode, size, mtime, ctime = found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns
                if pack(mode, size, mtime, ctime, found.st_ino) == known[name]:
                    same.append(name)
                    continue
            if not stat.S_ISLNK(found.st_mode):
                yield Found(name, stamp_of(found))
                continue
            try:
                yield _entry(directory, name, name, found)
            except FileNotFoundError:
                continue
