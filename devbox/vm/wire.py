"""A machine's wire to the other machines of its project: what it sends goes to all of them, what they send to it.

Each has a datagram socket in one directory, which is its user's alone, and whoever has a socket there is on the
network. So there is no hub that could be lost. Lean. A frame is what QEMU makes of it, and never looked into.
"""

from __future__ import annotations

import _socket
import os
import select
import time

HEAD = 4  # bytes before each frame on QEMU's side: how many it has, the highest first
LONGEST = 65536  # bytes of a frame
_PIECE = 262144
_LOOK = 0.5  # seconds between two looks at who is there
_PATIENCE = 0.02  # seconds that somebody who does not take what is sent is waited for


class Wire:
    """Copies between `port`, a stream that QEMU has the other end of, and the sockets in the current directory.

    `own`: the name there of the datagram socket `room`, which is this machine's.
    """

    def __init__(self, port: _socket.socket, room: _socket.socket, own: str) -> None:
        self._port = port
        self._room = room
        self._own = own
        self._others: list[str] = []
        self._looked = 0.0
        self._begun = bytearray()  # of a frame that has not come whole
        room.settimeout(_PATIENCE)

    def run(self) -> None:
        """Go on until QEMU has gone; `OSError` if it goes in the middle of something."""
        waiting = select.poll()
        waiting.register(self._port.fileno(), select.POLLIN)
        waiting.register(self._room.fileno(), select.POLLIN)
        while True:
            for descriptor, _ in waiting.poll():
                if descriptor == self._room.fileno():
                    self._take()
                    continue
                piece = self._port.recv(_PIECE)
                if not piece:
                    return
                self._begun += piece
                for frame in frames(self._begun):
                    self._send(frame)

    def _take(self) -> None:
        frame = self._room.recv(LONGEST + 1)
        if 0 < len(frame) <= LONGEST:
            self._port.sendall(len(frame).to_bytes(HEAD, "big") + frame)

    def _send(self, frame: bytes) -> None:
        now = time.monotonic()
        if now - self._looked > _LOOK:
            self._looked = now
            with os.scandir() as entries:
                self._others = [one.name for one in entries if one.name != self._own and "." not in one.name]
        for name in self._others:
            try:
                self._room.sendto(frame, name)
            except OSError:
                continue  # it has gone or is full; a network loses frames


def frames(begun: bytearray) -> list[bytes]:
    """Take the whole frames from the front of `begun`. `ValueError` for one that is longer than there are."""
    found = []
    while len(begun) >= HEAD:
        size = int.from_bytes(begun[:HEAD], "big")
        if size > LONGEST:
            raise ValueError("a frame that is too long")
        if len(begun) < HEAD + size:
            break
        found.append(bytes(begun[HEAD : HEAD + size]))
        del begun[: HEAD + size]
    return found
