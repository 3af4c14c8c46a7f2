"""A content manifest from a tar stream of a root file system: one pass, nothing extracted, all of it untrusted.

What names the person or the directory instead of the content is written as what it stands for, so that two people with
clones in directories of other names have the same manifest.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from devbox.parity.manifest import NOISE_CONTENT, USER, Entry, Manifest, sort_key
from devbox.parity.noise import Treatment, is_made_by_engine, treatment
from devbox.tarstream import BLOCK, Kind, Member, TarReader, TarStreamError, not_after

PLACE = "/workspaces/{directory}"
_WHOLE = 8 * 1024**2  # bytes; a larger file is not searched for the project's directory
_NAME_GOES_ON = rb"(?![A-Za-z0-9._-])"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Whose environment it is: the directory inside, the name and ids of the user; those of root stay as they are."""

    directory: str  # "/workspaces/shop"
    user: str
    uid: int
    gid: int


def capture(chunks: Iterable[bytes], view: View) -> Manifest:
    """Return the manifest of the file system that `chunks`, a tar stream, hold; `TarStreamError` if they hold none.

    A file with several names is written as a file under each; whether two files are one on the disk is not compared.
    """
    reader = TarReader(chunks)
    entries: dict[str, Entry] = {}
    scribe = _Scribe(view)
    for member in reader.members():
        if member.path != "/":  # not every engine writes it
            entries[member.path] = _hard_link(member, entries) or scribe.entry(member, reader)
    named = (replace(entry, path=scribe.place(path)) for path, entry in entries.items())
    kept = (entry for entry in named if treatment(entry.path) is not Treatment.DROPPED)
    return Manifest(entries=tuple(sorted(kept, key=lambda entry: sort_key(entry.path))))


def without_engine(chunks: Iterable[bytes], *, epoch: int) -> Iterator[bytes]:
    """Yield the tar stream without what the engine puts into every container; `TarStreamError` if it is none.

    No date is after `epoch` (seconds): the engine changed some directories just now.
    """
    reader = TarReader(chunks)
    for member in reader.members():
        if not is_made_by_engine(member.path):
            yield not_after(epoch, member.header)
            yield from map(bytes, reader.content())
            yield bytes(-member.size % BLOCK)
    yield bytes(2 * BLOCK)


def _hard_link(member: Member, entries: dict[str, Entry]) -> Entry | None:
    """Return the entry of another name of a file; None if it is no hard link."""
    if member.kind is not Kind.HARD_LINK:
        return None
    found = entries.get(member.target)
    if found is None or found.kind == Kind.DIRECTORY.value:
        raise TarStreamError("has a hard link to what did not come before it")
    return found


class _Scribe:
    """Writes entries as `view` has them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._directory = view.directory.encode("utf-8", "surrogateescape")
        self._place = re.compile(re.escape(self._directory) + _NAME_GOES_ON)
        self._accounts: dict[str, Callable[[bytes], bytes]] = (
            {} if view.uid == 0 else {"/etc/passwd": self._passwd, "/etc/group": self._group}
        )

    def entry(self, member: Member, reader: TarReader) -> Entry:
        """Return the entry of a member that is no hard link; its path is still the real one."""
        size, content = self._content(member, reader)
        return Entry(
            path=member.path,
            kind=member.kind.value,
            mode="-" if member.kind is Kind.LINK else f"{member.mode:04o}",
            owner=self._owner(member.uid, member.gid),
            size=size,
            content=content,
            target=self._target(member),
            capabilities=member.capabilities.hex() or "-",
        )

    def place(self, path: str) -> str:
        """Return `path` with the project's directory as what it stands for."""
        if path == self._view.directory or path.startswith(self._view.directory + "/"):
            return PLACE + path[len(self._view.directory) :]
        return path

    def _target(self, member: Member) -> str:
        if member.kind in (Kind.CHARACTER, Kind.BLOCK_DEVICE):
            return f"{member.device[0]}:{member.device[1]}"
        return self.place(member.target)

    def _owner(self, uid: int, gid: int) -> str:
        if uid == 0 or uid != self._view.uid:
            return f"{uid}:{gid}"
        return USER if gid == self._view.gid else f"{USER}:{gid}"

    def _content(self, member: Member, reader: TarReader) -> tuple[int | None, str]:
        if member.kind is not Kind.FILE:
            return None, "-"
        if treatment(member.path) is not None:
            return None, NOISE_CONTENT
        if member.size > _WHOLE:
            digest = hashlib.sha256()
            for piece in reader.content():
                digest.update(piece)
            return member.size, f"sha256:{digest.hexdigest()}"
        data = self._told(member.path, b"".join(reader.content()))
        return len(data), f"sha256:{hashlib.sha256(data).hexdigest()}"

    def _told(self, path: str, data: bytes) -> bytes:
        """Return a file's content with the directory and the user as what they stand for."""
        if self._directory in data:
            data = self._place.sub(PLACE.encode(), data)
        account = self._accounts.get(path)
        return account(data) if account else data

    def _passwd(self, data: bytes) -> bytes:
        return b"".join(self._passwd_line(line) for line in data.splitlines(keepends=True))

    def _passwd_line(self, line: bytes) -> bytes:
        fields = line.split(b":")
        ids = [b"%d" % self._view.uid, b"%d" % self._view.gid]
        if fields[0] != self._view.user.encode() or fields[2:4] != ids:
            return line
        return b":".join([*fields[:2], USER.encode(), USER.encode(), *fields[4:]])

    def _group(self, data: bytes) -> bytes:
        """Leave out the user's own group: it is there only where no other group has the gid."""
        own = b"%s:x:%d:" % (self._view.user.encode(), self._view.gid)
        return b"".join(line for line in data.splitlines(keepends=True) if line.rstrip(b"\n") != own)
