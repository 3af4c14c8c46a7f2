"""Big files on their way to this host: out of sight beside their place until they are whole."""

import contextlib
import os

from devbox import confined
from devbox.confined import Place, Root
from devbox.sync.content import (
    Digester,
    after,
    digest,
    open_expected,
    require_there,
    require_unchanged,
    sync_file,
    write,
)
from devbox.sync.core.names import TEMPORARY
from devbox.sync.endpoint import CHUNK, Abort, Answer, Begin, Chunk, Commit, Copy
from devbox.sync.puts import Unsettled
from devbox.sync.swap import ChangedError, Changer, stamp_of, temporary_name

_AGAIN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SYNC_EVERY = 8 << 20  # bytes


class _Upload:
    """One that has begun. `digester` goes along with what comes in order, so that the end needs no second reading."""

    __slots__ = ("descriptor", "digester", "path", "temporary", "unsynced")

    def __init__(self, descriptor: int, path: bytes, temporary: bytes) -> None:
        self.descriptor = descriptor
        self.path = path
        self.temporary = temporary
        self.digester = Digester()
        self.unsynced = 0


class Uploads:
    """Those that have begun, by their handles."""

    def __init__(self, root: Root, changer: Changer, unsettled: Unsettled) -> None:
        self._root = root
        self._changer = changer
        self._unsettled = unsettled
        self._open: dict[int, _Upload] = {}

    def begin(self, request: Begin) -> Answer:
        """Open what is there of it already, or make it."""
        temporary = TEMPORARY + digest(request.path + b"\0" + request.digest).hex()[:32].encode()
        if request.handle in self._open or any(temporary == upload.temporary for upload in self._open.values()):
            raise confined.RefusedError("begun already")
        with self._root.place(request.path) as place:
            descriptor = _take_up(place, temporary)
        self._open[request.handle] = _Upload(descriptor, request.path, temporary)
        return Answer(stamp=stamp_of(os.fstat(descriptor)))

    def chunk(self, request: Chunk) -> Answer:
        """Write some of it."""
        upload = self._of(request.handle)
        if len(request.data) > CHUNK or request.offset < 0:
            raise confined.RefusedError("a chunk of no sense")
        self._write(upload, request.offset, request.data)
        return Answer()

    def copy(self, request: Copy) -> Answer:
        """Write what another file of the tree has."""
        upload = self._of(request.handle)
        descriptor, stamp = open_expected(self._root, request.path, request.expected)
        try:
            done = 0
            while done < request.length:
                data = os.pread(descriptor, min(CHUNK, request.length - done), request.source + done)
                if not data:
                    raise ChangedError(stamp)
                self._write(upload, request.offset + done, data)
                done += len(data)
            require_unchanged(descriptor, stamp)
        finally:
            os.close(descriptor)
        return Answer()

    def commit(self, request: Commit) -> Answer:
        """Have it in place, if it is what it should be."""
        upload = self._of(request.handle)
        if upload.path != request.path:
            raise confined.RefusedError("another path than begun with")
        del self._open[request.handle]
        try:
            with self._changer.place(request.path, request.expected, request.keep) as place:
                return self._commit(upload, place, request)
        finally:
            os.close(upload.descriptor)

    def abort(self, request: Abort) -> Answer:
        """Leave it."""
        upload = self._of(request.handle)
        del self._open[request.handle]
        os.close(upload.descriptor)
        if request.forget:
            with contextlib.suppress(OSError), self._root.place(upload.path) as place:
                os.unlink(upload.temporary, dir_fd=place.directory)
        return Answer()

    def close(self) -> None:
        """Leave all, as they are."""
        for upload in self._open.values():
            os.close(upload.descriptor)
        self._open.clear()

    def _of(self, handle: int) -> _Upload:
        if handle not in self._open:
            raise confined.RefusedError("not begun")
        return self._open[handle]

    @staticmethod
    def _write(upload: _Upload, offset: int, data: bytes) -> None:
        write(upload.descriptor, data, offset)
        upload.digester.add(offset, data)
        upload.unsynced += len(data)
        if upload.unsynced >= _SYNC_EVERY:  # or else the last of it would take as long as all
            upload.unsynced = 0
            sync_file(upload.descriptor)

    def _commit(self, upload: _Upload, place: Place, request: Commit) -> Answer:
        require_there(place, upload.temporary, upload.descriptor)
        try:
            _require_whole(upload, request)
            old = self._changer.require(place, request.expected)
            sync_file(upload.descriptor)
            new = self._changer.dress(upload.descriptor, old, executable=request.executable, mtime=request.mtime)
        except BaseException:
            os.unlink(upload.temporary, dir_fd=place.directory)
            raise
        temporary = upload.temporary
        if old is not None:  # what is there has the temporary name for a moment, and must not be taken for an upload
            temporary = temporary_name()
            confined.rename_new(place.directory, upload.temporary, place.directory, temporary)
        self._changer.install(place, temporary, request.expected, request.keep)
        self._unsettled.add(os.dup(upload.descriptor))
        return Answer(stamp=after(upload.descriptor, new))


def _take_up(place: Place, temporary: bytes) -> int:
    """Open what an earlier session left, if it is a file of its own and ours; else a new one."""
    with contextlib.suppress(FileNotFoundError):
        with contextlib.suppress(confined.NotAFileError):
            descriptor = confined.open_file(place.directory, temporary, _AGAIN)
            found = os.fstat(descriptor)
            if found.st_nlink == 1 and found.st_uid == os.geteuid():
                return descriptor
            os.close(descriptor)
        os.unlink(temporary, dir_fd=place.directory)
    return confined.create(place.directory, temporary)


def _require_whole(upload: _Upload, request: Commit) -> None:
    if os.fstat(upload.descriptor).st_size != request.size:
        raise ChangedError(None)
    if upload.digester.of(upload.descriptor, request.size) != request.digest:
        raise ChangedError(None)
