"""A tar stream, read once from its first byte to its last. Pure; nothing is extracted.

All of it is untrusted: names and headers are bounded, numbers are checked, and what is not understood whole is refused
rather than guessed. Knows what engines write: ustar, GNU long names, PAX. Sources: POSIX.1-2017,
pax; GNU tar manual, "Basic Tar Format".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from devbox.values import printable

BLOCK = 512
MEMBERS_LIMIT = 5_000_000
HEADERS_LIMIT = 1024**2  # bytes of the long names and PAX records of one member
_EXTENSIONS = b"LKxg"
_CAPABILITIES = "SCHILY.xattr.security.capability"


class TarStreamError(ValueError):
    """The stream is no tar, is cut off, or holds what is not understood."""


class Kind(Enum):
    """What a member is; the values are the manifest's words."""

    FILE = "file"
    DIRECTORY = "dir"
    LINK = "link"
    HARD_LINK = "hard link"
    CHARACTER = "char"
    BLOCK_DEVICE = "block"
    PIPE = "pipe"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.LINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.PIPE,
}
_DEVICES = (Kind.CHARACTER, Kind.BLOCK_DEVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member. `path`: from "/", without one at its end; bytes that are no UTF-8 are surrogates, as in os.fsdecode.

    `target`: of a link; of a hard link the path, from "/", that it is another name of. `header`: its blocks as they
    came, for whoever passes the member on.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int = 0  # bytes of its content
    target: str = ""
    device: tuple[int, int] = (0, 0)
    capabilities: bytes = b""
    header: bytes = b""


class TarReader:
    """Reads one stream. `content` is of the member that came last from `members`."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._source = _Source(chunks)
        self._left = 0  # bytes of the current content
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Yield the members in their order; content that nobody asked for is skipped. `TarStreamError`, see there."""
        for _ in range(MEMBERS_LIMIT):
            member = self._next()
            if member is None:
                return
            self._left, self._padding = member.size, -member.size % BLOCK
            yield member
            for _ in self.content():
                pass
        raise TarStreamError(f"has more than {MEMBERS_LIMIT} members")

    def content(self) -> Iterator[memoryview]:
        """Yield the content of the member that came last, in pieces."""
        while self._left:
            piece = self._source.piece(self._left)
            self._left -= len(piece)
            yield piece
        if self._padding:
            self._source.exactly(self._padding)
            self._padding = 0

    def _next(self) -> Member | None:
        blocks = [self._source.exactly(BLOCK)]
        extra: dict[str, bytes] = {}
        while (kind := blocks[-1][156:157]) in _EXTENSIONS and blocks[-1][0]:
            data = self._extension(blocks)
            if kind in b"LK":
                extra["path" if kind == b"L" else "linkpath"] = data.rstrip(b"\0")
            elif kind == b"x":
                extra |= _records(data)
            elif set(_records(data)) - {"comment"}:
                raise TarStreamError("has PAX records for all members, which no engine writes")
            blocks.append(self._source.exactly(BLOCK))
        if not any(blocks[-1]):  # the end: two such blocks, and whatever pads the file
            if len(blocks) > 1 or any(self._source.exactly(BLOCK)):
                raise TarStreamError("has an empty header in its midst")
            self._source.drain()
            return None
        return _member(blocks[-1], extra, b"".join(blocks))

    def _extension(self, blocks: list[bytes]) -> bytes:
        _check(blocks[-1])
        size = _number(blocks[-1][124:136])
        if size + sum(map(len, blocks)) > HEADERS_LIMIT:
            raise TarStreamError(f"has a member whose names and records take more than {HEADERS_LIMIT} bytes")
        data = self._source.exactly(size + -size % BLOCK)
        blocks.append(data)
        return data[:size]


class _Source:
    """The chunks as one row of bytes, handed out without copying where that can be."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def piece(self, most: int) -> memoryview:
        """Return from 1 to `most` bytes."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise TarStreamError("breaks off")
            self._rest = memoryview(chunk)
        found, self._rest = self._rest[:most], self._rest[most:]
        return found

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes."""
        found = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        while len(found) < size:
            found += self.piece(size - len(found))
        return found

    def drain(self) -> None:
        """Read what comes after the end, so that whoever sends can end too."""
        self._rest = memoryview(b"")
        for _ in self._chunks:
            pass


def _member(block: bytes, extra: dict[str, bytes], header: bytes) -> Member:
    _check(block)
    kind = _KINDS.get(block[156:157])
    path = extra.get("path") or _name(block)
    if block[156:157] == b"\0" and path.endswith(b"/"):  # how it was written before POSIX
        kind = Kind.DIRECTORY
    if kind is None or any(name.startswith("GNU.sparse") for name in extra):
        raise TarStreamError(f"has {_shown(path)}, a sparse file or another kind of member that is not understood")
    target = extra.get("linkpath") or _text(block[157:257])
    return Member(
        path=absolute(path),
        kind=kind,
        mode=_number(block[100:108]) & 0o7777,
        uid=_given(extra, "uid", block[108:116]),
        gid=_given(extra, "gid", block[116:124]),
        size=_given(extra, "size", block[124:136]) if kind is Kind.FILE else 0,
        target=absolute(target) if kind is Kind.HARD_LINK else _decoded(target) if kind is Kind.LINK else "",
        device=(_number(block[329:337]), _number(block[337:345])) if kind in _DEVICES else (0, 0),
        capabilities=extra.get(_CAPABILITIES, b""),
        header=header,
    )


def not_after(epoch: int, header: bytes) -> bytes:
    """Return the blocks of a member's header with a date of at most `epoch` (seconds); PAX records stay as they are."""
    if _number(header[-BLOCK:][136:148]) <= epoch:
        return header
    return _with(header, 136, b"%011o\0" % epoch)


def plain_mode(header: bytes) -> bytes:
    """Return the blocks of a member's header with the rights alone for a mode, without the kind that Go writes there.

    Who reads the kind there takes another name of a file for an empty file: mke2fs does.
    """
    return _with(header, 100, b"%07o\0" % (_number(header[-BLOCK:][100:108]) & 0o7777))


def _with(header: bytes, place: int, field: bytes) -> bytes:
    before, block = header[:-BLOCK], header[-BLOCK:]
    block = block[:place] + field + block[place + len(field) :]
    block = block[:148] + b" " * 8 + block[156:]
    return before + block[:148] + b"%06o\0 " % sum(block) + block[156:]


def absolute(name: bytes) -> str:
    """Return a member's name as a path from "/"; `TarStreamError` if it leads upwards."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts or b"\0" in name:
        raise TarStreamError(f"has the name {_shown(name)}, which leads out of it")
    return "/" + _decoded(b"/".join(parts))


def _name(block: bytes) -> bytes:
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else b""  # GNU keeps dates there
    return prefix + b"/" + name if prefix else name


def _check(block: bytes) -> None:
    try:
        wanted = _number(block[148:156])
    except TarStreamError:
        wanted = -1
    if sum(block) - sum(block[148:156]) + 8 * 32 != wanted:
        raise TarStreamError("is no tar, or is damaged: the checksum of a header is wrong")


def _number(field: bytes) -> int:
    """Return a number of a header: octal digits, or for what these cannot hold big-endian bytes after 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise TarStreamError("has a header with a number that is none")
    return int(digits, 8)


def _given(extra: dict[str, bytes], name: str, field: bytes) -> int:
    """Return a number that a PAX record or else the header gives."""
    if name not in extra:
        return _number(field)
    if not extra[name].isdigit() or len(extra[name]) > 20:
        raise TarStreamError(f"has a PAX record {name} that is no number")
    return int(extra[name])


def _records(data: bytes) -> dict[str, bytes]:
    """Return the PAX records: each is its own length, a space, `name=value` and a line end."""
    found: dict[str, bytes] = {}
    while data:
        length, space, _ = data[:21].partition(b" ")
        if not space or not length.isdigit() or not len(length) + 3 <= int(length) <= len(data):
            raise TarStreamError("has PAX records that are none")
        record, data = data[len(length) + 1 : int(length)], data[int(length) :]
        name, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise TarStreamError("has PAX records that are none")
        found[_decoded(name)] = value[:-1]
    return found


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _shown(name: bytes) -> str:
    return printable(_decoded(name[:200]))
