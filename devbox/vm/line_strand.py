"""One client of the line: its socket here, its frames there, and what each side may still send. Lean."""

from __future__ import annotations

import _socket
import selectors

from devbox.vm.line_frames import CLOSE, CREDIT, CREDIT_MOST, DATA, DATA_MOST, END, OPEN, WINDOW, Violation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Way(Protocol):
        """What a strand needs of its line."""

        def send(self, number: int, kind: int, payload: bytes | memoryview = b"") -> None:
            """Have a frame go to the machine."""

        def is_full(self) -> bool:
            """Whether so much waits for the machine that a client should."""

        def watch(self, connected: _socket.socket, events: int, act: Callable[[int], None]) -> None:
            """Have `act` called upon `events` (0: never)."""

        def drop(self, number: int) -> None:
            """Forget the client of this number, and close its socket."""


class Out:
    """Bytes on their way into a socket that may be full."""

    def __init__(self, connected: _socket.socket) -> None:
        self._socket = connected
        self._waiting = bytearray()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, data: bytes | memoryview) -> int:
        """Send `data` behind what waits; return how many bytes the socket took. `OSError` if it is broken."""
        if self._waiting:
            self._waiting += data
            return 0
        sent = self._send(data)
        self._waiting += data[sent:]
        return sent

    def flush(self) -> int:
        """Send what waits, as far as it goes; return as `add`."""
        sent = self._send(self._waiting)
        del self._waiting[:sent]
        return sent

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0


class Strand:
    """One client, and what each side may still send of its connection."""

    def __init__(self, line: Way, number: int, connected: _socket.socket) -> None:
        connected.settimeout(0)
        self._line = line
        self._number = number
        self.socket = connected
        self._out = Out(connected)
        self._credit = WINDOW
        self._room = WINDOW
        self._owed = 0
        self._heard_end = False  # the machine sends no more
        self._passed_end = False  # and the client knows
        self._said_end = False  # the client sends no more
        line.send(number, OPEN)
        self.update()

    def ready(self, events: int) -> None:
        """Do what can be done without waiting."""
        try:
            if events & selectors.EVENT_WRITE and len(self._out):
                self._give_back(self._out.flush())
            if events & selectors.EVENT_READ and not self._said_end and self._credit and not self._line.is_full():
                self._pump()
            self._settle()
        except OSError:
            self._break()

    def take(self, kind: int, payload: memoryview) -> None:
        """Act on a frame of the machine's; `Violation`."""
        try:
            if kind == DATA:
                self._take_data(payload)
            elif kind == END and not self._heard_end:
                self._heard_end = True
                self._settle()
            elif kind == CREDIT:
                self._credit += int.from_bytes(payload, "little")
                if self._credit > CREDIT_MOST:
                    raise Violation
                self.update()
            elif kind == CLOSE:
                self._close()
            else:
                raise Violation
        except OSError:
            self._break()

    def update(self) -> None:
        """Wait for what there is to do."""
        reads = not self._said_end and self._credit > 0 and not self._line.is_full()
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if len(self._out) else 0)
        self._line.watch(self.socket, events, self.ready)

    def _pump(self) -> bool:
        """Pass on what the client says; return whether it may have said more."""
        try:
            data = self.socket.recv(min(DATA_MOST, self._credit))
        except BlockingIOError:
            return False
        if data:
            self._credit -= len(data)
            self._line.send(self._number, DATA, data)
        else:
            self._said_end = True
            self._line.send(self._number, END)
        return bool(data)

    def _take_data(self, payload: memoryview) -> None:
        if self._heard_end or len(payload) > self._room:
            raise Violation
        self._room -= len(payload)
        self._give_back(self._out.add(payload))
        self.update()

    def _give_back(self, size: int) -> None:
        self._owed += size
        if self._owed >= WINDOW // 2 and not self._heard_end:
            self._line.send(self._number, CREDIT, self._owed.to_bytes(4, "little"))
            self._room += self._owed
            self._owed = 0

    def _settle(self) -> None:
        """Pass the end on, and go when both directions have ended."""
        if self._heard_end and not self._passed_end and not len(self._out):
            self._passed_end = True
            self.socket.shutdown(_socket.SHUT_WR)
        if self._passed_end and self._said_end:
            self._line.drop(self._number)
        else:
            self.update()

    def _close(self) -> None:
        """Listen to the client no more, and go when it has taken what the machine said before."""
        self._heard_end = self._said_end = True
        self.socket.shutdown(_socket.SHUT_RD)
        self._settle()

    def _break(self) -> None:
        """Leave a client that takes nothing any more; what it said before it went goes first."""
        self._say_the_rest()
        self._line.send(self._number, CLOSE)
        self._line.drop(self._number)

    def _say_the_rest(self) -> None:
        try:
            while not self._said_end and self._credit and self._pump():
                pass
        except OSError:
            return
