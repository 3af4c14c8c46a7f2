"""Frames of the sync protocol (docs/reference/sync-protocol.md), encoded and decoded. Pure.

What comes from the guest is untrusted: whatever is malformed in it is a `WireError`, and nothing else. What cannot be
said in the protocol is a `ValueError` when it is encoded.
"""

from collections.abc import Callable, Mapping
from stat import S_ISREG
from struct import Struct
from typing import Any, Final, NamedTuple

from devbox.agent.fields import Buffer, WireError
from devbox.sync.core.entry import PACKED, Stamp
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
    Hash,
    Identity,
    List,
    MakeDirectory,
    MakeLink,
    Mark,
    Put,
    Read,
    Remove,
    Rename,
    Request,
    SetExecutable,
    Settle,
    Stat,
)

VERSION: Final = 1
WINDOW: Final = 1 << 20  # bytes of requests that may be unanswered: the guest has room for as many
ENTRIES_MAX: Final = 1 << 20  # of one directory
LIST_MAX: Final = 64 << 20  # bytes that all of them take
EVENTS, HELLO, FILE, ANSWER = 64, 65, 66, 128  # verbs of the guest's; the last is added to a request's
NAME_MAX, PATH_MAX, NONCE_MAX, ERRNO_MAX = 255, 4095, 256, 4095
PUT: Final = 5  # the verb of Put
HEADER: Final = 9
FILE_MAX: Final = 32768  # bytes of content that come with an event
_FRAME_MAX: Final = CHUNK + 64  # of a payload from the guest
_HAS_STAMP, _HAS_ROOM, _HAS_MORE = 1, 2, 4
_NOTHING, _SOMETHING = b"\0", b"\1"

_HEAD = Struct("<IIB")
_ANSWER = Struct("<BBH")
_STAMP = PACKED
_STAMPED = Struct("<BBHIQqqQ")
_U16, _U32, _U64, _I32 = Struct("<H"), Struct("<I"), Struct("<Q"), Struct("<i")
_TARGET = Struct("<Bq")
_RANGE = Struct("<QI")
_PIECE = Struct("<IQ")
_COPY = Struct("<QQQ")
_COMMIT = Struct("<IQ")
_ABORT = Struct("<IB")
_HELLO = Struct("<HHQQQ")
_EVENT = Struct("<iB")
_CODES: Final = tuple(Code)

Frame = tuple[int, int, memoryview]  # number, verb, payload
_Encoded = tuple[bytes, ...]


def _text(data: bytes) -> bytes:
    if len(data) > PATH_MAX or b"\0" in data:
        raise ValueError(f"a path that cannot be said: {data[:NAME_MAX]!r}")
    return _U32.pack(len(data)) + data


def _expected(stamp: Stamp | None) -> bytes:
    return _NOTHING if stamp is None else _SOMETHING + _STAMP.pack(*stamp)


def _digest(data: bytes) -> bytes:
    if len(data) != 32:
        raise ValueError("a digest of another length")
    return data


def _content(data: bytes) -> bytes:
    if len(data) > CHUNK:
        raise ValueError(f"{len(data)} bytes in one piece")
    return data


def _target(request: Put | Commit) -> bytes:
    return b"".join(
        (
            _text(request.path),
            _expected(request.expected),
            _digest(request.digest),
            _TARGET.pack(request.executable, request.mtime),
            _text(request.keep),
        ),
    )


def _path(request: Stat | MakeDirectory) -> _Encoded:
    return (_text(request.path),)


def _list(request: List) -> _Encoded:
    return _text(request.path), bytes((request.watch | request.contents << 1,))


def _hash(request: Hash) -> _Encoded:
    return _text(request.path), _STAMP.pack(*request.expected), _U32.pack(request.block)


def _read(request: Read) -> _Encoded:
    if request.length > CHUNK:
        raise ValueError(f"{request.length} bytes in one piece")
    return _text(request.path), _expected(request.expected), _RANGE.pack(request.offset, request.length)


def _put(request: Put) -> _Encoded:
    return _target(request), _content(request.data)


def _begin(request: Begin) -> _Encoded:
    return _U32.pack(request.handle), _text(request.path), _digest(request.digest)


def _chunk(request: Chunk) -> _Encoded:
    return _PIECE.pack(request.handle, request.offset), _content(request.data)


def _copy(request: Copy) -> _Encoded:
    place = _COPY.pack(request.source, request.offset, request.length)
    return _U32.pack(request.handle), _text(request.path), _STAMP.pack(*request.expected), place


def _commit(request: Commit) -> _Encoded:
    return _target(request), _COMMIT.pack(request.handle, request.size)


def _abort(request: Abort) -> _Encoded:
    return (_ABORT.pack(request.handle, request.forget),)


def _link(request: MakeLink) -> _Encoded:
    return _text(request.path), _expected(request.expected), _text(request.target), _text(request.keep)


def _remove(request: Remove) -> _Encoded:
    return _text(request.path), _STAMP.pack(*request.expected), _text(request.keep)


def _rename(request: Rename) -> _Encoded:
    return _text(request.path), _STAMP.pack(*request.expected), _text(request.to)


def _executable(request: SetExecutable) -> _Encoded:
    return _text(request.path), _STAMP.pack(*request.expected), bytes((request.executable,))


def _mark(request: Mark) -> _Encoded:
    if len(request.nonce) > NONCE_MAX:
        raise ValueError("a nonce that is too long")
    return (request.nonce,)


def _barrier(_request: Barrier | Settle) -> _Encoded:
    return ()


_VERBS: Final[Mapping[type[Request], tuple[int, Callable[[Any], _Encoded]]]] = {
    Stat: (1, _path),
    List: (2, _list),
    Hash: (3, _hash),
    Read: (4, _read),
    Put: (PUT, _put),
    Begin: (6, _begin),
    Chunk: (7, _chunk),
    Copy: (8, _copy),
    Commit: (9, _commit),
    Abort: (10, _abort),
    MakeDirectory: (11, _path),
    MakeLink: (12, _link),
    Remove: (13, _remove),
    Rename: (14, _rename),
    SetExecutable: (15, _executable),
    Mark: (16, _mark),
    Barrier: (17, _barrier),
    Settle: (17, _barrier),  # a guest's file system is made anew more easily than it is trusted
}


def verb(request: Request) -> int:
    """Return the number of a request's kind."""
    return _VERBS[type(request)][0]


def encode(number: int, request: Request) -> bytes:
    """Return the frame of a request; `number` is below 2^32 and not 0."""
    kind, fields = _VERBS[type(request)]
    try:
        parts = fields(request)
    except Exception as error:
        if isinstance(error, ValueError):
            raise
        raise ValueError(f"a number that cannot be said in {request!r:.200}") from error
    return b"".join((_HEAD.pack(sum(map(len, parts)), number, kind), *parts))


class Frames:
    """Takes frames out of a stream, however it is cut; holds at most one frame of it that is not whole."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes."""
        if self._rest:
            data = self._rest + data
        view, at, end = memoryview(data), 0, len(data)
        found: list[Frame] = []
        while end - at >= HEADER:
            length, number, kind = _HEAD.unpack_from(data, at)
            if length > _FRAME_MAX:
                raise WireError(f"a frame of {length} bytes")
            start = at + HEADER
            if end - start < length:
                break
            at = start + length
            found.append((number, kind, view[start:at]))
        self._rest = data[at:]
        return found


class Part(NamedTuple):
    """One frame of an answer; `more` says that it goes on. `body` is what its kind of request asks for."""

    answer: Answer
    more: bool
    body: memoryview


def parse_part(payload: memoryview) -> Part:
    """Read a frame of an answer."""
    size = len(payload)
    if size < _ANSWER.size:
        raise WireError("an answer that is too short")
    code, fields, errno = _ANSWER.unpack_from(payload)
    if code >= len(_CODES) or fields > 7 or errno > ERRNO_MAX:
        raise WireError(f"an answer with code {code}, fields {fields}, error {errno}")
    at, stamp, room = _ANSWER.size, None, 0
    if fields & _HAS_STAMP:
        stamp, at = _stamp(payload, at), at + _STAMP.size
    if fields & _HAS_ROOM:
        if size < at + _U64.size:
            raise WireError("an answer that is too short")
        (room,) = _U64.unpack_from(payload, at)
        at += _U64.size
    return Part(Answer(_CODES[code], errno, stamp, room=room), bool(fields & _HAS_MORE), payload[at:])


def _stamp(payload: memoryview, at: int) -> Stamp:
    if len(payload) < at + _STAMP.size:
        raise WireError("a stamp that is too short")
    return Stamp(*_STAMP.unpack_from(payload, at))


def name_of(data: Buffer) -> bytes:
    """Return the name of something in a directory, if it can be one."""
    name = bytes(data)
    if not name or len(name) > NAME_MAX or name in {b".", b".."} or b"/" in name or b"\0" in name:
        raise WireError(f"a name that is none: {name[:NAME_MAX]!r}")
    return name


def link_target(data: Buffer) -> bytes:
    """Return the target of a link, if it can be one; b"" of one that has just gone."""
    target = bytes(data)
    if len(target) > PATH_MAX or b"\0" in target:
        raise WireError("a link's target that is none")
    return target


def parse_list(body: memoryview, known: Mapping[bytes, bytes | None], same: list[bytes]) -> tuple[int, list[Found]]:
    """Read a part of List's answer: the watch, and some of the names; those that are as `known` go to `same`."""
    if len(body) < _I32.size:
        raise WireError("a list that is too short")
    (watch,) = _I32.unpack_from(body)
    if watch < -1:
        raise WireError(f"a watch {watch}")
    data = bytes(body)
    at, end, found = _I32.size, len(data), []
    while at < end:
        stamp_at = at + 2 + int.from_bytes(data[at : at + 2], "little")
        name = data[at + 2 : stamp_at]
        at = stamp_at + _STAMP.size
        target_at = at + 2
        at = target_at + int.from_bytes(data[at:target_at], "little")
        if target_at > end or at > end:
            raise WireError("a list that ends in the middle")
        if known.get(name) == data[stamp_at : target_at - 2]:
            same.append(name)
        else:
            stamp = Stamp._make(_STAMP.unpack_from(data, stamp_at))
            found.append(Found(name_of(name), stamp, link_target(data[target_at:at])))
    return watch, found


def parse_events(payload: memoryview) -> list[Event]:
    """Read events."""
    at, end, found = 0, len(payload), []
    while at < end:
        if end - at < _EVENT.size:
            raise WireError("an event that is too short")
        watch, length = _EVENT.unpack_from(payload, at)
        at += _EVENT.size
        name = payload[at : at + length]
        at += length
        if watch < -1 or at > end:
            raise WireError("an event that is none")
        found.append(Event(watch, name_of(name) if length else b""))
    return found


def parse_file(payload: memoryview) -> Event:
    """Read what happened to a file, with its content."""
    if len(payload) < _EVENT.size:
        raise WireError("an event that is too short")
    watch, length = _EVENT.unpack_from(payload)
    at = _EVENT.size + length
    name, stamp, data = name_of(payload[_EVENT.size : at]), _stamp(payload, at), bytes(payload[at + _STAMP.size :])
    if watch < 0 or stamp.size != len(data) or len(data) > FILE_MAX or not S_ISREG(stamp.mode):
        raise WireError("an event that is none")
    return Event(watch, name, stamp, data)


def parse_hello(payload: memoryview) -> tuple[int, int, Identity]:
    """Read HELLO: `(version, errno why the root cannot be used or 0, what root it is)`."""
    if len(payload) < _U32.size:
        raise WireError("a hello that is too short")
    version, errno = _U16.unpack_from(payload)[0], _U16.unpack_from(payload, _U16.size)[0]
    if version != VERSION or errno:
        if errno > ERRNO_MAX:
            raise WireError(f"an error number {errno}")
        return version, errno, Identity(b"", 0, 0, 0)
    if not _HELLO.size <= len(payload) <= _HELLO.size + NONCE_MAX:
        raise WireError("a hello of another length")
    _, _, device, inode, birth = _HELLO.unpack_from(payload)
    return version, 0, Identity(bytes(payload[_HELLO.size :]), device, inode, birth)
