"""A big file on its way: in chunks, a few at once, and only the blocks that the other side does not have.

What came before a break is taken up where it ended, if the content is still the same.
"""

import hashlib
import time
from collections.abc import Sequence
from itertools import count
from typing import Final, NamedTuple

from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.endpoint import CHUNK, Abort, Answer, Begin, Chunk, Code, Commit, Copy, Hash, Read, Request
from devbox.sync.pace import Pace
from devbox.sync.pump import Ask, Work, one
from devbox.sync.rows import Node, digest_of
from devbox.sync.troubles import NO_ROOM

BLOCK: Final = CHUNK  # what is compared is as long as what is sent
DELTA: Final = 1 << 20  # files from this size on are compared by blocks
_DIGEST: Final = 32
_handles = count(1)


class Sent(NamedTuple):
    """What came of it: the answer that ended it and whose it was, and what digest the content has."""

    side: Side
    answer: Answer
    digest: bytes = b""


def hashed(side: Side, path: bytes, stamp: Stamp) -> Work[Answer]:
    """Know the digest of a file, as `data`. The host's is read in pieces, so that others get on beside it."""
    if side is Side.GUEST or stamp.size <= DELTA:
        return (yield from one(side, Hash(path, stamp)))
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for at in range(0, stamp.size, CHUNK):
        answer = yield from one(side, Read(path, stamp, at, CHUNK))
        if answer.code is not Code.DONE:
            return answer
        digest.update(answer.data)
    return Answer(stamp=stamp, data=digest.digest())


def send_big(side: Side, node: Node, want: Entry, expected: Stamp | None, keep: bytes) -> Work[Sent]:
    """Have the other side's content of `node` on this side."""
    path, stamp, digest = node.path, node.stamp_on(side.other), want.digest
    if stamp is None:
        return Sent(side.other, Answer(Code.CHANGED))
    if not digest:
        answer = yield from hashed(side.other, path, stamp)
        if answer.code is not Code.DONE:
            return Sent(side.other, answer)
        digest = answer.data
    file = _File(side, path, stamp, next(_handles) & 0xFFFFFFFF)
    begun = yield from one(side, Begin(file.handle, path, digest))
    if begun.code is not Code.DONE:
        return Sent(side, begun)
    before = node.on(side)
    if expected is not None and before is not None and before.kind is Kind.FILE and expected.size >= DELTA:
        yield from file.compare(expected)
    failed = yield from file.stream(begun.stamp.size if begun.stamp else 0)
    if failed is None:
        commit = Commit(file.handle, path, expected, stamp.size, digest, want.executable, stamp.mtime, keep)
        return Sent(side, (yield from one(side, commit)), digest)
    # What came so far is of use as long as the source is what it was; but not where it takes the last room.
    is_of_use = failed.answer.code is Code.FAILED and failed.answer.errno not in NO_ROOM
    yield [Ask(side, Abort(file.handle, forget=not is_of_use))]
    return failed


class _File:
    """One that is being sent."""

    def __init__(self, side: Side, path: bytes, stamp: Stamp, handle: int) -> None:
        self._side = side
        self._path = path
        self._stamp = stamp
        self.handle = handle
        self._theirs: list[bytes] = []
        self._old: Stamp | None = None

    def compare(self, expected: Stamp) -> Work[None]:
        """Know the blocks of what is there now."""
        answer = yield from one(self._side, Hash(self._path, expected, BLOCK))
        if answer.code is Code.DONE:
            data = answer.data
            self._theirs = [data[at : at + _DIGEST] for at in range(0, len(data), _DIGEST)]
            self._old = expected

    def stream(self, there: int) -> Work[Sent | None]:
        """Send all but the first bytes that are there already; returns what made it end early."""
        at, size = min(there, self._stamp.size) // CHUNK * CHUNK, self._stamp.size
        sends: list[Ask] = []
        pace = Pace()
        while sends or at < size:
            group = range(at, min(size, at + pace.pieces * CHUNK), CHUNK)
            at += len(group) * CHUNK
            reads = [Ask(self._side.other, Read(self._path, self._stamp, each, self._length(each))) for each in group]
            begun = time.monotonic()
            answers = yield [*sends, *reads]
            if sends:  # what is read first may lie at hand
                pace.took(time.monotonic() - begun, len(sends))
            done, read = answers[: len(sends)], answers[len(sends) :]
            if failed := _failed(self._side, done) or _failed(self._side.other, read):
                return failed
            sends = []
            for each, answer in zip(group, read, strict=True):
                if len(answer.data) != self._length(each):
                    return Sent(self._side.other, Answer(Code.CHANGED))
                sends.append(Ask(self._side, self._sending(each, answer.data)))
        return None

    def _length(self, at: int) -> int:
        return min(CHUNK, self._stamp.size - at)

    def _sending(self, at: int, data: bytes) -> Request:
        number = at // BLOCK
        if self._old is not None and number < len(self._theirs) and self._theirs[number] == digest_of(data):
            return Copy(self.handle, self._path, self._old, at, at, len(data))
        return Chunk(self.handle, at, data)


def _failed(side: Side, answers: Sequence[Answer]) -> Sent | None:
    return next((Sent(side, answer) for answer in answers if answer.code is not Code.DONE), None)
