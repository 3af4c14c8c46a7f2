"""A process inside, in the hands of Python code, and one-shot questions. Cold, blocking; all errors `AgentError`.

`AgentSession` has the methods of `runtimes.base.Session`. What a person sits at goes through `relay` instead.
"""

import select
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from devbox.agent import wire
from devbox.agent.client import CHUNK, AgentLost, StartError, ask, hello
from devbox.agent.protocol import (
    ExecMessage,
    FileState,
    GuestSession,
    Listener,
    parse_listeners,
    parse_sessions,
    parse_stat,
)
from devbox.agent.transport import Transport
from devbox.agent.wire import Frame, WireError

WINDOW: Final = 256 * 1024  # bytes of output that may lie here
_CHANNEL: Final = 1
_OUTPUT: Final = {wire.STDOUT: 1, wire.STDERR: 2}


def start(transport: Transport, identity: str, message: ExecMessage, *, given: bytes = b"") -> "AgentSession":
    """Start a process; `StartError` if it cannot be, `NoAgent` and `OtherAgent` as `client.hello`.

    `given`: all that there is on its stdin, if that is not to be sent later. Owns `transport` from now on. `ValueError`
    if `message` cannot be said.
    """
    soon = given if len(given) <= min(wire.CREDIT, wire.PAYLOAD_MAX) else b""  # it need not be waited for
    try:
        decoder = wire.Decoder()
        request = wire.exec_(_CHANNEL, message, window=WINDOW)
        if soon:
            request += wire.frame(wire.DATA, _CHANNEL, soon) + wire.frame(wire.EOF, _CHANNEL)
        _, frames = hello(transport, identity, decoder, request)
        session = AgentSession(transport, decoder, message, said=len(soon))
        session.begin(frames)
        if given and not soon:
            session.send(given)
            session.close_stdin()
    except BaseException:
        transport.close()
        raise
    return session


class AgentSession:
    """A running process inside. One thread may receive while another sends; any may signal, resize or close.

    Whoever sends and finds no room reads the connection on, if nobody else does, so one thread alone is enough.
    """

    def __init__(self, transport: Transport, decoder: wire.Decoder, message: ExecMessage, *, said: int = 0) -> None:
        self._transport = transport
        self._decoder = decoder
        self._takes_input = bool(message.flags & wire.FLAG_STDIN) and not said
        self._detached = bool(message.flags & wire.FLAG_DETACH)
        self._pid: int | None = None
        self._status: int | None = None
        self._failure: AgentLost | None = None
        self._closed = False
        self._frames: deque[tuple[int, bytes]] = deque()
        self._credit = wire.CREDIT - said  # bytes of input that there is room for
        self._window = WINDOW  # bytes of output that may still come
        self._taken = 0  # bytes of output that have not been asked for anew
        self._changed = threading.Condition()
        self._reading = False  # whether a thread reads the connection
        self._greedy = bool(message.flags & wire.FLAG_SYNC)  # whether all that there is is read, for `receive_ready`
        self._sending = threading.Lock()
        self._poll = select.poll()
        self._poll.register(transport.fileno(), select.POLLIN)

    @property
    def pid(self) -> int:
        """The process's number inside; 0 where there is none."""
        return self._pid or 0

    def begin(self, frames: Iterable[Frame]) -> None:
        """Wait for STARTED; `frames` have come already."""
        self._read(lambda: frames)
        while self._pid is None and not self._failure:
            self._read(self._received)
        if self._failure:
            raise self._failure

    def fileno(self) -> int:
        """The descriptor to wait on for reading. What nobody has waited for may lie here after a `send`."""
        return self._transport.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end. `AgentLost` if it broke."""
        self._until(lambda: bool(self._frames) or self._is_over())
        with self._changed:
            if self._frames:
                number, data = self._frames.popleft()
            elif self._failure and not self._closed:
                raise self._failure
            else:
                return None
        self._give_back(len(data))
        return number, data

    @property
    def pending(self) -> bool:
        """Whether there is something for `receive_ready` that the descriptor does not tell of."""
        return bool(self._frames) or self._is_over()

    @property
    def room(self) -> int:
        """How many bytes `send` takes now without waiting for the process to read."""
        return self._credit

    def receive_ready(self) -> list[tuple[int, bytes]] | None:
        """Return the output that is here, without waiting; None at the end. `AgentLost` if it broke.

        Of a sync program alone, and for one thread: more may be read at once than the descriptor tells of.
        """
        while not self._frames and not self._is_over() and self._is_readable():
            self._read(self._received)
        if not self._frames and self._is_over():
            self.receive()  # raises what broke
            return None
        found, self._frames = list(self._frames), deque()
        self._give_back(sum(len(data) for _, data in found))
        return found

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin, waiting for room; a no-op when it has gone."""
        view = memoryview(data)
        while view:
            self._until(lambda: self._credit > 0 or self._is_over())
            with self._changed:
                if self._is_over() or not self._takes_input:
                    return
                piece = view[: min(self._credit, wire.PAYLOAD_MAX)]
                self._credit -= len(piece)
            self._say(wire.frame(wire.DATA, _CHANNEL, piece))
            view = view[len(piece) :]

    def close_stdin(self) -> None:
        """Let it read end-of-file."""
        if self._takes_input and not self._is_over():
            self._takes_input = False
            self._say(wire.frame(wire.EOF, _CHANNEL))

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the size."""
        self._say(wire.resize(_CHANNEL, rows, columns))

    def signal(self, number: int) -> None:
        """Send signal `number` to it and its children; a no-op when it has gone."""
        self._say(wire.signal(_CHANNEL, number))

    def exit_code(self) -> int:
        """Wait for its end and return its exit code, 128 and the signal if one ended it; output is thrown away."""
        while self.receive() is not None:
            continue
        if self._status is None:
            raise AgentLost("the session was closed before the process ended")
        return self._status

    def close(self) -> None:
        """Leave it: it is hung up, and killed if it does not end by that. A detached one goes on."""
        self._closed = True
        self._transport.close()
        with self._changed:
            self._changed.notify_all()

    def _is_readable(self) -> bool:
        return bool(self._poll.poll(0))

    def _is_over(self) -> bool:
        return self._status is not None or self._failure is not None or self._closed

    def _until(self, condition: Callable[[], bool]) -> None:
        """Read the connection, or wait while another thread does, until something is so."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: condition() or not self._reading)
                if condition():
                    return
                self._reading = True
            try:
                self._read(self._received)
            finally:
                with self._changed:
                    self._reading = False
                    self._changed.notify_all()

    def _received(self) -> Iterable[Frame]:
        """Receive once, and mostly not beyond the frame, so that the descriptor tells of the next one."""
        data = self._transport.receive(CHUNK if self._greedy else self._decoder.wanted)
        if not data:
            raise AgentLost("the connection to the environment ended")
        return self._decoder.feed(data)

    def _read(self, source: Callable[[], Iterable[Frame]]) -> None:
        """Act on what comes; what is broken is remembered for whoever receives."""
        try:
            for frame in source():
                self._take(frame)
        except BlockingIOError:
            return
        except WireError as error:
            self._failure = AgentLost(f"the agent does not keep to its protocol: {error}")
        except OSError as error:
            self._failure = AgentLost(f"the connection to the environment broke: {error.strerror or error}")
        except AgentLost as error:
            self._failure = error

    def _take(self, frame: Frame) -> None:
        kind, channel, payload = frame
        if kind == wire.ERROR:
            raise AgentLost(f"the agent ended the connection: {wire.parse_error(payload)}")
        if channel != _CHANNEL or self._status is not None:
            raise WireError(f"type {kind:#x} on channel {channel}")
        if kind == wire.WINDOW:
            self._credit = min(self._credit + wire.parse_window(payload), wire.CREDIT_MAX)
        elif kind == wire.STARTED and self._pid is None:
            self._pid = wire.parse_started(payload)
            self._status = 0 if self._detached else None
        elif kind == wire.FAILED and self._pid is None:
            raise StartError(*wire.parse_failed(payload))
        elif self._pid is None:
            raise WireError(f"type {kind:#x} before the start")
        else:
            self._take_of_running(kind, payload)

    def _take_of_running(self, kind: int, payload: memoryview) -> None:
        if kind in _OUTPUT:
            self._window -= len(payload)
            if self._window < 0:
                raise WireError("more output than was asked for")
            if payload:
                self._frames.append((_OUTPUT[kind], bytes(payload)))
        elif kind == wire.EXIT:
            self._status = wire.exit_status(payload)
        elif kind != wire.EOF:  # the end of the output, which EXIT says as well
            raise WireError(f"type {kind:#x} at this time")

    def _give_back(self, count: int) -> None:
        with self._changed:
            self._taken += count
            if self._taken < WINDOW // 2 or self._is_over():
                return
            count, self._taken = self._taken, 0
            self._window += count
        self._say(wire.window(_CHANNEL, count))

    def _say(self, data: bytes) -> None:
        if self._is_over():
            return
        with self._sending:
            try:
                self._transport.send(data)
            except OSError:  # the receiving side reports what is broken
                return


def ask_sessions(transport: Transport, identity: str) -> tuple[GuestSession, ...]:
    """Return what runs inside by order of some client. Closes `transport`; errors as `client.ask`, and `WireError`."""
    return parse_sessions(ask(transport, identity, wire.frame(wire.SESSIONS, _CHANNEL)))


def ask_listeners(transport: Transport, identity: str) -> tuple[Listener, ...]:
    """Return the sockets inside that take connections. Closes `transport`; errors as `client.ask`, and `WireError`."""
    return parse_listeners(ask(transport, identity, wire.frame(wire.LISTENERS, _CHANNEL)))


def ask_stat(transport: Transport, identity: str, path: str, *, follow: bool = True) -> FileState | None:
    """Return what is at `path` inside, by root's eyes; None if nothing is there, `OSError` if it cannot be known.

    Closes `transport`; errors as `client.ask`, and `WireError`.
    """
    return parse_stat(ask(transport, identity, wire.stat(_CHANNEL, path, follow=follow)))
