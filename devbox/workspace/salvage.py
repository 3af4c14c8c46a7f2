"""Files out of an Environment into an archive on this host. The names are the guest's, and are only written down."""

import os
import select
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbox.errors import SyncError
from devbox.sync.core.names import OURS, is_path
from devbox.sync.endpoint import CHUNK, Answer, Code, Endpoint, Found, List, Read, Request, Stat

_PATIENCE: Final = 60.0  # seconds for an answer


def salvage(guest: Endpoint, wanted: Sequence[str], *, apart: Sequence[str], target: Path) -> None:
    """Write what is at the paths `wanted`, and below them, to the tar archive `target`; "" is everything.

    `apart`: directories that are left out. What has gone meanwhile is left out too. `SyncError` if it cannot be had.
    """
    left_out = {os.fsencode(one) for one in apart} | {OURS}
    draft = target.with_suffix(".part")
    try:
        with tarfile.open(draft, "w") as archive:
            for path in map(os.fsencode, wanted):
                for name, found in _walk(guest, path, left_out):
                    _add(archive, guest, name, found)
        draft.chmod(0o600)
        draft.replace(target)
    except OSError as error:
        raise SyncError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _walk(guest: Endpoint, path: bytes, left_out: set[bytes]) -> Iterator[tuple[bytes, Found]]:
    if path in left_out or (path and not is_path(path)):
        return
    for found in _ask(guest, Stat(path)).found:
        if path:
            yield path, found
        if stat.S_ISDIR(found.stamp.mode):
            for inner in _ask(guest, List(path)).found:
                yield from _walk(guest, path + b"/" + inner.name if path else inner.name, left_out)


def _add(archive: tarfile.TarFile, guest: Endpoint, path: bytes, found: Found) -> None:
    entry = tarfile.TarInfo(os.fsdecode(path))
    entry.mode, entry.mtime = stat.S_IMODE(found.stamp.mode), found.stamp.mtime // 1_000_000_000
    if stat.S_ISDIR(found.stamp.mode):
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    elif stat.S_ISLNK(found.stamp.mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.fsdecode(found.target)
        archive.addfile(entry)
    elif stat.S_ISREG(found.stamp.mode):
        entry.size = found.stamp.size
        archive.addfile(entry, _Content(guest, path, found))


class _Content:
    """A file inside, as `tarfile` reads one."""

    def __init__(self, guest: Endpoint, path: bytes, found: Found) -> None:
        self._guest, self._path, self._found = guest, path, found
        self._at = 0
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; `SyncError` if the file changes meanwhile."""
        while len(self._rest) < size and self._at < self._found.stamp.size:
            length = min(CHUNK, self._found.stamp.size - self._at)
            data = _ask(self._guest, Read(self._path, self._found.stamp, self._at, length)).data
            if not data:
                raise SyncError(f"{os.fsdecode(self._path)!r} changed while it was saved", hint="try it again")
            self._rest += data
            self._at += len(data)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def _ask(guest: Endpoint, request: Request) -> Answer:
    """Ask and wait; what is not there any more has an empty answer."""
    answers: list[Answer] = []
    try:
        guest.ask(request, answers.append)
        while not answers:
            if not select.select([guest.fileno()], [], [], _PATIENCE)[0]:
                raise SyncError("the environment does not answer")
            guest.process()
    except OSError as error:
        raise SyncError(f"the environment does not answer: {error}") from error
    return answers[0] if answers[0].code is Code.DONE else Answer()
