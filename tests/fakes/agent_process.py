"""A process of FakeAgent: a Python function in a thread, with streams, a terminal's sizes and signals."""

import signal
import threading
from collections.abc import Callable

from devbox.agent import wire
from devbox.agent.wire import ExecMessage
from tests.fakes import agent_messages as says
from tests.fakes.programs import Waits

Program = Callable[["FakeProcess"], int]
Send = Callable[[bytes], None]
_GRACE = 0.2  # seconds without input after which a process that might read all of it goes on


class FakeProcess(Waits):
    """One run of a program. `send` takes frames, from any thread; `host_gone` is set when nobody takes them."""

    told = b""  # what its EXIT says of a sync program

    def __init__(self, message: ExecMessage, channel: int, window: int, *, pid: int, send: Send) -> None:
        self.message = message
        self.channel = channel
        self.pid = pid
        self.sizes = [(message.rows, message.columns)] if message.flags & wire.FLAG_TERMINAL else []
        self.signals: list[int] = []
        self.closed = False
        self.ended = False
        self._send = send
        self._window = window
        self._room = wire.CREDIT
        self._input = bytearray()
        self._input_ended = not message.flags & wire.FLAG_STDIN
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def run(self, program: Program, on_end: Callable[["FakeProcess"], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(program, on_end), name="fake process", daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread:
            self._thread.join(30)
            assert not self._thread.is_alive(), "a fake process does not end"

    # the program's side

    def say(self, data: bytes, stream: int = 1) -> None:
        """Write, waiting for the host to take it."""
        kind = wire.STDOUT if stream == 1 or self.message.flags & wire.FLAG_TERMINAL else wire.STDERR
        if self.message.flags & wire.FLAG_DETACH:
            return
        view = memoryview(data)
        while view:
            with self._changed:
                self._changed.wait_for(lambda: self._window > 0 or self.closed)
                if self.closed:
                    return
                piece = view[: min(self._window, wire.PAYLOAD_MAX)]
                self._window -= len(piece)
            self._send(wire.frame(kind, self.channel, piece))
            view = view[len(piece) :]

    def read(self) -> bytes:
        """Return the next piece of input, empty at its end or when a signal came."""
        with self._changed:
            self._changed.wait_for(lambda: self._input or self._input_ended or self.signals or self.closed)
            return self._consume()

    def read_all(self) -> bytes:
        """Return all input, or what there is of it when no more has come for a moment."""
        data = b""
        while True:
            with self._changed:
                came = self._changed.wait_for(
                    lambda: self._input or self._input_ended or self.signals or self.closed, _GRACE
                )
                piece = self._consume()
            data += piece
            if not piece or not came:
                return data

    def _consume(self) -> bytes:
        data = bytes(self._input)
        self._input.clear()
        self._room += len(data)
        if data and not self.closed:
            self._send(wire.window(self.channel, len(data)))
        return data

    def _run(self, program: Program, on_end: Callable[["FakeProcess"], None]) -> None:
        try:
            code = program(self)
        finally:
            self.ended = True
            on_end(self)
        if not self.message.flags & wire.FLAG_DETACH:
            self._send(says.exited(self.channel, code & 0xFF, told=self.told))

    # the agent's side

    def feed(self, data: memoryview) -> bool:
        """Take input; False if it is more than there is room for."""
        with self._changed:
            self._room -= len(data)
            if self._room < 0:
                return False
            if self.message.flags & wire.FLAG_STDIN:
                self._input += data
            self._changed.notify_all()
            return True

    def end_input(self) -> None:
        with self._changed:
            self._input_ended = True
            self._changed.notify_all()

    def give(self, count: int) -> None:
        with self._changed:
            self._window += count
            self._changed.notify_all()

    def signal(self, number: int) -> None:
        with self._changed:
            self.signals.append(number)
            self._changed.notify_all()

    def resize(self, rows: int, columns: int) -> None:
        with self._changed:
            if self.sizes:
                self.sizes.append((rows, columns))
            self._changed.notify_all()

    def close(self) -> None:
        """Be left by the client."""
        self.hang_up()

    def hang_up(self) -> None:
        """Let it know that the host has gone."""
        with self._changed:
            self.closed = True
            self.signals.append(signal.SIGHUP)
            self._changed.notify_all()
