"""Many files in one go: each is a Put and its answer, as by itself; only said and heard with less ado. Pure."""

from collections.abc import Callable
from struct import Struct
from typing import Final

from devbox.agent.fields import WireError
from devbox.sync import wire
from devbox.sync.core.entry import PACKED
from devbox.sync.endpoint import CHUNK, Answer, Code, Plant

NUMBERS: Final = 0xFFFFFFFF  # of requests, which begin anew after it; 0 is for what comes by itself
_PUT: Final = wire.PUT
_HEAD = Struct("<IIBI")  # and the length of the path
_TAIL = Struct("<BqI")  # executable, mtime, and no name in the trash
_STAMPED: Final = bytes((Code.DONE.value, 1, 0, 0))  # an answer of a stamp alone begins so; the stamp follows
_LENGTH: Final = len(_STAMPED) + PACKED.size
_FIXED: Final = 4 + 1 + 32 + _TAIL.size
_DIGEST: Final = 32


def encode(number: int, request: Plant) -> bytes:
    """Return the frames of its Puts; `number` is that of the one before the first. `ValueError` as of one."""
    prefix = request.path + b"/" if request.path else b""
    if not request.files or b"\0" in prefix:
        raise ValueError("nothing that can be said")
    parts: list[bytes] = []
    for name, data, digest, executable, mtime in request.files:
        path = prefix + name
        number = number % NUMBERS + 1
        if len(path) > wire.PATH_MAX or b"\0" in name or len(digest) != _DIGEST or len(data) > CHUNK:
            raise ValueError(f"a file that cannot be said: {path[: wire.NAME_MAX]!r}")
        try:
            tail = _TAIL.pack(executable, mtime, 0)
        except Exception as error:
            raise ValueError(f"a time that cannot be said: {mtime}") from error
        head = _HEAD.pack(_FIXED + len(path) + len(data), number, _PUT, len(path))
        parts += (head, path, b"\0", digest, tail, data)
    return b"".join(parts)


class Planted:
    """A Plant on its way, and what has come of it. As `_Asked` of the guest's end."""

    __slots__ = ("_stamps", "done", "request", "size", "verb")

    def __init__(self, request: Plant, done: Callable[[Answer], None], size: int) -> None:
        self.request, self.done, self.size = request, done, size
        self.verb = _PUT | wire.ANSWER
        self._stamps: list[bytes | None] = []

    def hear(self, payload: memoryview) -> bool:
        """Take the answer to the next one; whether it was the last."""
        if len(payload) == _LENGTH and payload[:4] == _STAMPED:
            self._stamps.append(bytes(payload[4:]))
            return len(self._stamps) == len(self.request.files)
        part = wire.parse_part(payload)
        if part.more or part.body:
            raise WireError("an answer that is too long")
        stamp = part.answer.stamp if part.answer.code is Code.DONE else None
        self._stamps.append(None if stamp is None else PACKED.pack(*stamp))
        return len(self._stamps) == len(self.request.files)

    def whole(self) -> Answer:
        """Return all of it."""
        return Answer(stamps=tuple(self._stamps))
