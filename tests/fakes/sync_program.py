"""A sync program that says what a test wants it to say."""

import os
import select
import struct
from collections import deque

from devbox.sync import wire

STAMP = struct.Struct("<IQqqQ")
HELLO = struct.pack("<HHQQQ", wire.VERSION, 0, 1, 2, 3)


def frame(number: int, verb: int, payload: bytes = b"") -> bytes:
    return struct.pack("<IIB", len(payload), number, verb) + payload


def answer(number: int, verb: int, body: bytes = b"", *, code: int = 0, fields: int = 0, errno: int = 0) -> bytes:
    return frame(number, verb | wire.ANSWER, struct.pack("<BBH", code, fields, errno) + body)


class SyncProgram:
    """The methods of `guest.Stream`. `says`: what it says at once, and `say` more; `heard` is what it was sent."""

    def __init__(self, *says: bytes, hello: bool = True) -> None:
        self._read, self._write = os.pipe()
        self._held: deque[bytes] = deque()
        self.heard = b""
        self.closed = False
        self.room_left = 1 << 30
        if hello:
            self.say(frame(0, wire.HELLO, HELLO))
        for data in says:
            self.say(data)

    def say(self, data: bytes) -> None:
        os.write(self._write, data)

    def hold(self, data: bytes) -> None:
        """Have this come as what was read beside something else."""
        self._held.append(data)

    def end(self) -> None:
        os.close(self._write)
        self._write = -1

    @property
    def pending(self) -> bool:
        return bool(self._held)

    @property
    def room(self) -> int:
        return self.room_left

    def fileno(self) -> int:
        return self._read

    def receive_ready(self) -> list[tuple[int, bytes]] | None:
        if self._held:
            return [(1, self._held.popleft())]
        if not select.select([self._read], [], [], 0)[0]:
            return []
        data = os.read(self._read, 65536)
        return [(1, data)] if data else None

    def send(self, data: bytes) -> None:
        self.heard += data

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._read)
            if self._write >= 0:
                os.close(self._write)
