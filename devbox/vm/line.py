"""The line: leads clients of a socket on this host to the agent in a machine, over the machine's one port.

Lean. What comes from the machine is looked at, not trusted.
"""

from __future__ import annotations

import _socket
import os
import selectors
import time

from devbox.vm.line_frames import CREDIT, DATA_MOST, HEAD, NONCE, OPEN, RESET, Violation, frame, head, reset
from devbox.vm.line_strand import Out, Strand
from devbox.vm.peer import process_of
from devbox.vm.vcpus import BOOT, WORD, Processors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FULL = 131072  # bytes that wait for the machine; above it no more is taken from clients
_CHUNK = 262144
_STRANDS_MOST = 4000
_NUMBER_MOST = 0xFFFFFFFF
_REST = 0.1  # seconds until clients are let in again after one could not be
_FIRST_AGAIN = 0.5  # seconds until a RESET that was not answered is said again, and twice as long after each
# A frame that somebody before us began may have swallowed the RESET before: so much ends it, and is none itself.
_FILLER = b"\xff" * (HEAD.size + DATA_MOST)


class Line:
    """The port, its clients, and the door that they come in by: `listen` returns it when the machine answers."""

    def __init__(self, port: _socket.socket, listen: Callable[[], _socket.socket]) -> None:
        port.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._port = port
        self._out = Out(port)
        self._input = b""
        self._listen = listen
        self._door: _socket.socket | None = None
        self._resting_until = 0.0  # nobody is let in before; 0: somebody is
        self._strands: dict[int, Strand] = {}
        self._last = 0
        self._nonce = b""  # of the RESET that is not answered yet
        self._again = _FIRST_AGAIN
        self._due = 0.0
        self._over = False
        self._processors = Processors(process_of(port) or 0)

    def run(self) -> None:
        """Serve until the port comes to its end."""
        try:
            self._begin()
            while not self._over:
                self._watch_port()
                for key, events in self._selector.select(self._patience()):
                    if self._selector.get_map().get(key.fd) is key:  # else it was closed or changed meanwhile
                        key.data(events)
                self._do_what_is_due()
        finally:
            self._processors.release()

    def send(self, number: int, kind: int, payload: bytes | memoryview = b"") -> None:
        """Have a frame go to the machine; a port that is broken is seen where it is read."""
        if kind != CREDIT:  # which answers the machine's own words
            self._processors.hold(WORD)
        self._say(frame(number, kind, payload))

    def is_full(self) -> bool:
        """Whether so much waits for the machine that a client should."""
        return len(self._out) > _FULL

    def watch(self, connected: _socket.socket, events: int, act: Callable[[int], None]) -> None:
        """Have `act` called upon `events` (0: never)."""
        known = connected in self._selector.get_map()
        if known and not events:
            self._selector.unregister(connected)
        elif known and self._selector.get_key(connected).events != events:
            self._selector.modify(connected, events, act)
        elif events and not known:
            self._selector.register(connected, events, act)

    def drop(self, number: int) -> None:
        """Forget a client."""
        strand = self._strands.pop(number)
        self.watch(strand.socket, 0, strand.ready)
        strand.socket.close()
        self._watch_door()

    def _patience(self) -> float | None:
        awaited = self._due if self._nonce else 0.0
        due = [when for when in (awaited, self._resting_until, self._processors.due) if when]
        return max(min(due) - time.monotonic(), 0) if due else None

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        if self._nonce and now >= self._due:
            self._repeat()
        if self._resting_until and now >= self._resting_until:
            self._resting_until = 0.0
            self._watch_door()
        if self._processors.due and now >= self._processors.due:
            self._processors.release()

    def _begin(self) -> None:
        """Forget everybody, and have the machine do so."""
        for number in list(self._strands):
            self.drop(number)
        self._again = _FIRST_AGAIN
        self._processors.hold(BOOT)
        self._reset(b"")

    def _repeat(self) -> None:
        """Say RESET once more; not into a machine that does not even read what was said before."""
        self._again *= 2
        if len(self._out):
            self._due = time.monotonic() + self._again
        else:
            self._reset(_FILLER)

    def _reset(self, before: bytes) -> None:
        self._nonce = os.urandom(NONCE)
        self._due = time.monotonic() + self._again
        self._watch_door()
        self._say(before + reset(self._nonce))

    def _say(self, data: bytes) -> None:
        try:
            self._out.add(data)
        except OSError:
            self._over = True

    def _watch_port(self) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if len(self._out) else 0)
        self.watch(self._port, events, self._port_ready)

    def _watch_door(self) -> None:
        if self._door:
            welcome = not self._nonce and not self._resting_until and len(self._strands) < _STRANDS_MOST
            self.watch(self._door, selectors.EVENT_READ if welcome else 0, self._door_ready)

    def _door_ready(self, _events: int) -> None:
        assert self._door
        try:
            descriptor, _ = self._door._accept()  # type: ignore[attr-defined]  # what `socket` calls
        except BlockingIOError:
            return
        except OSError:  # who came has gone, or descriptors or memory are short, and nobody tells when they are not
            self._resting_until = time.monotonic() + _REST
            self._watch_door()
            return
        self._last = self._last % _NUMBER_MOST + 1
        while self._last in self._strands:
            self._last = self._last % _NUMBER_MOST + 1
        client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
        self._strands[self._last] = Strand(self, self._last, client)
        self._watch_door()

    def _port_ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ:
            self._read()

    def _flush(self) -> None:
        was_full = self.is_full()
        try:
            self._out.flush()
        except OSError:
            self._over = True
        if was_full and not self.is_full():
            for strand in list(self._strands.values()):
                strand.update()

    def _read(self) -> None:
        try:
            data = self._port.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._over = True
            return
        self._input += data
        self._input = self._input[self._use(memoryview(self._input)) :]

    def _use(self, held: memoryview) -> int:
        """Act on what is there whole; return how many bytes that was."""
        done = 0
        while len(held) - done >= HEAD.size:
            if self._nonce:
                done += self._find_answer(held[done:])
                if self._nonce:
                    break
                continue
            try:
                size = self._use_frame(held[done:])
            except Violation:
                self._begin()
                continue
            if not size:
                break
            done += size
        return done

    def _find_answer(self, held: memoryview) -> int:
        """Look for the answer to our RESET; all before it is of another time."""
        wanted = reset(self._nonce)
        at = bytes(held).find(wanted)
        if at < 0:
            return max(len(held) - len(wanted) + 1, 0)
        self._nonce = b""
        self._processors.hold_no_longer(WORD)
        if self._door is None:
            self._door = self._listen()
        self._watch_door()
        return at + len(wanted)

    def _use_frame(self, held: memoryview) -> int:
        """Return the frame's size, 0 if it is not there whole."""
        number, kind, length = head(held)
        if number == 0 or kind in (RESET, OPEN):  # a RESET that we did not ask for: it has lost everything
            raise Violation
        if len(held) < HEAD.size + length:
            return 0
        strand = self._strands.get(number)
        if strand:  # else it has ended a moment before
            strand.take(kind, held[HEAD.size : HEAD.size + length])
        return HEAD.size + length
