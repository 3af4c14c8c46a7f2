"""What QEMU is between a line and the agent inside: a port that one at a time has on the host, and one in the machine.

As there: what the machine says while nobody is on the host is lost, and nothing is read from the host while the machine
does not listen. Either side can be hung up on, and be told anything.
"""

import contextlib
import selectors
import socket
import threading
from pathlib import Path

_CHUNK = 65536
_MOST = 1 << 20  # bytes that wait for one side; above it nothing is read from the other


class _Side:
    """One of the two: a socket that listens, whoever came last, and what waits for them."""

    def __init__(self, path: Path) -> None:
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(str(path))
        self.door.listen(8)
        self.peer: socket.socket | None = None
        self.waiting = bytearray()
        self.count = 0

    def accept(self) -> None:
        self.peer, _ = self.door.accept()
        self.peer.setblocking(False)
        self.count += 1

    def hang_up(self) -> None:
        if self.peer:
            self.peer.close()
        self.peer = None
        self.waiting.clear()

    def flush(self) -> None:
        assert self.peer
        with contextlib.suppress(BlockingIOError):
            del self.waiting[: self.peer.send(self.waiting)]


class LinePort:
    """The port; `host` and `machine` are the paths of its two sockets."""

    def __init__(self, directory: Path) -> None:
        self.host = directory / "line.sock"
        self.machine = directory / "port.sock"
        self._sides = (_Side(self.host), _Side(self.machine))
        self._lock = threading.Lock()
        self._wake = socket.socketpair()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Be gone; harmless if it is."""
        if self._over:
            return
        self._over = True
        self._poke()
        self._thread.join()
        for side in self._sides:
            side.hang_up()
            side.door.close()
        for one in self._wake:
            one.close()

    def say_to_machine(self, data: bytes) -> None:
        with self._lock:
            self._sides[1].waiting += data
        self._poke()

    def has_passed_on(self) -> bool:
        """Whether nothing waits for the machine to read it."""
        with self._lock:
            return not self._sides[1].waiting

    def say_to_host(self, data: bytes) -> None:
        with self._lock:
            self._sides[0].waiting += data
        self._poke()

    def came(self) -> int:
        """How often somebody has come on the host."""
        return self._sides[0].count

    def _poke(self) -> None:
        self._wake[0].send(b"x")

    def _run(self) -> None:
        while not self._over:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake[1], selectors.EVENT_READ)
                for side in (0, 1):
                    self._register(selector, side)
                happened = [(key.data, events) for key, events in selector.select(10)]
            with self._lock:
                for what, events in happened:
                    self._handle(what, events)

    def _register(self, selector: selectors.BaseSelector, number: int) -> None:
        side, other = self._sides[number], self._sides[1 - number]
        if side.peer is None:
            selector.register(side.door, selectors.EVENT_READ, ("door", number))
            return
        # What comes while nobody is on the host is read, and lost; towards the machine it waits.
        reads = (number == 1 and other.peer is None) or (other.peer is not None and len(other.waiting) < _MOST)
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if side.waiting else 0)
        if events:
            selector.register(side.peer, events, ("peer", number))

    def _handle(self, what: tuple[str, int] | None, events: int) -> None:
        if what is None:
            self._wake[1].recv(4096)
            return
        kind, number = what
        side = self._sides[number]
        if kind == "door":
            side.accept()
            return
        try:
            if events & selectors.EVENT_WRITE and side.waiting:
                side.flush()
            if events & selectors.EVENT_READ:
                self._read(number)
        except OSError:
            side.hang_up()

    def _read(self, number: int) -> None:
        side, other = self._sides[number], self._sides[1 - number]
        assert side.peer
        data = side.peer.recv(_CHUNK)
        if not data:
            side.hang_up()
        elif other.peer is not None:
            other.waiting += data
