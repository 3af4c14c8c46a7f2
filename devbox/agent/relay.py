"""The relay between this process's standard streams and a process inside: terminal, pipes, signals, exit code. Hot.

One thread, one loop, and nothing in it blocks: output waits in a queue that the channel's window bounds, and input
is read only while the process has room for it, so neither direction ever holds up the other.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal
import errno
import time

from devbox.agent import wire
from devbox.agent.client import CHUNK, AgentError, AgentLost, Greeting, NoAgent, StartError
from devbox.agent.streams import (
    READ,
    WRITE,
    Input,
    Output,
    Raw,
    Signals,
    Waiter,
    is_gone,
    is_nothing,
    outputs,
    terminal_size,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from devbox.agent.wire import ExecMessage, Frame

PASSED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
PATIENCE = 3  # so many of one signal, and nobody waits for the process inside any more
LINGER = 0.5  # seconds for a process to end whose output nobody can have
WINDOW = 1024 * 1024
_CHANNEL = 1


class OutputError(AgentError):
    """The command's output cannot be written (a full disk); the text is for the user."""


class _Over(Exception):
    """Nobody waits for the process any more."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def relay(
    greeting: Greeting,
    *,
    request: ExecMessage,
    stdin: int = 0,
    stdout: int = 1,
    stderr: int = 2,
    terminal: bool,
) -> int:
    """Start a process inside and be it until it ends; return its exit code, 128 and the signal if one ended it.

    Output is passed on as it comes; signals go to the process and its children, and the third of one kind ends the
    waiting for it. `terminal`: stdin is one and its keys go inside untouched; it is as it was before, whatever
    happens. A reader of our output that has gone ends the process by SIGPIPE (141). A terminal that has gone ends
    this at once (129), and the agent ends all that was started from it, SIGHUP first. What was started detached is
    left at once (0). `greeting`: of the agent.

    `NoAgent`, `OtherAgent`: nothing was started and nothing read. `StartError`: it could not be started, and nothing
    was read. `AgentLost`: the connection ended in the middle. `OutputError`: a full disk. Closes the connection.
    `ValueError`: `request` cannot be said (`wire.exec_`).
    """
    signals = Signals((*PASSED_ON, _signal.SIGWINCH, _signal.SIGCONT) if terminal else PASSED_ON)
    raw = Raw(stdin) if terminal else None
    run = None
    try:
        if raw:  # before anything starts: a key that is typed early is for the process inside
            raw.enter()
        run = _Relay(greeting, request, signals=signals, raw=raw, streams=(stdin, stdout, stderr))
        return run.run()
    except _Over as end:
        return end.status
    except wire.WireError as error:
        raise AgentLost(f"the agent does not keep to its protocol: {error}") from error
    finally:
        greeting.transport.close()
        if run:
            run.close()
        if raw:
            raw.leave()
        signals.close()


class _Relay:
    """One run of `relay`."""

    def __init__(
        self,
        greeting: Greeting,
        request: ExecMessage,
        *,
        signals: Signals,
        raw: Raw | None,
        streams: tuple[int, int, int],
    ) -> None:
        self._greeting = greeting
        self._transport = greeting.transport
        self._request = request
        self._signals = signals
        self._raw = raw
        self._screen = streams[1]
        if not request.flags & (wire.FLAG_SFTP | wire.FLAG_SYNC) and is_nothing(streams[0]):
            request.flags &= ~wire.FLAG_STDIN  # so that there is no pipe to be filled, and no end of it to be told of
        self._waiter = Waiter()
        self._input: Input | None = Input(streams[0]) if request.flags & wire.FLAG_STDIN else None
        self._stdout, self._stderr = outputs(streams[1], streams[2])
        self._started = False
        self._status: int | None = None
        self._credit = wire.CREDIT  # bytes of input that the process has room for
        self._window = WINDOW  # bytes of output that may still come
        self._written = 0  # bytes of output that have not been asked for anew
        self._sent: dict[int, int] = {}
        self._broken: _Over | OutputError | None = None  # the output cannot be written; the process may end by that
        self._deadline = 0.0  # until when, if so

    def run(self) -> int:
        if self._raw:
            self._request.rows, self._request.columns = terminal_size(self._screen)
        start = wire.exec_(_CHANNEL, self._request, window=WINDOW)
        self._signals.breaks = self._end_of_patience
        try:
            frames = self._greeting.ask(start)
        finally:
            self._signals.breaks = None
        self._take(frames)
        try:
            while self._status is None or self._stdout.queue or self._stderr.queue:
                self._turn()
        except (AgentLost, wire.WireError):
            if not self._broken:
                raise
        if self._broken or self._status is None:
            raise self._broken or AgentLost("the connection to the environment ended")
        return self._status

    def close(self) -> None:
        for stream in (self._input, self._stdout, self._stderr):
            if stream:
                stream.close()

    def _turn(self) -> None:
        left = self._deadline - time.monotonic() if self._broken else None
        if self._broken and left is not None and left <= 0:
            raise self._broken
        ready = self._waiter.wait(self._wanted(), left)
        if self._signals.fileno() in ready:
            self._pass_signals()
        if self._transport.fileno() in ready and self._status is None:
            self._receive()
        for output in (self._stdout, self._stderr):
            if output.queue and output.fileno() in ready:
                self._flush(output)
        if self._input and self._input.fileno() in ready and self._is_hungry():
            self._feed(self._input)

    def _wanted(self) -> dict[int, int]:
        wanted = {self._signals.fileno(): READ}
        if self._status is None:
            wanted[self._transport.fileno()] = READ
        if self._input and self._is_hungry():
            wanted[self._input.fileno()] = READ
        for output in (self._stdout, self._stderr):
            if output.queue:
                wanted[output.fileno()] = wanted.get(output.fileno(), 0) | WRITE
        return wanted

    def _is_hungry(self) -> bool:
        """Whether the process would take input. None is read before it runs: it might be needed elsewhere."""
        return self._started and self._status is None and self._credit > 0

    def _receive(self) -> None:
        try:
            data = self._transport.receive(CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if isinstance(error, ConnectionResetError) and not self._started:  # it ended with our words unread
                raise NoAgent("the agent has ended since it answered") from error
            raise AgentLost(f"the connection to the environment broke: {error.strerror or error}") from error
        if not data:
            raise AgentLost("the connection to the environment ended")
        self._take(self._greeting.decoder.feed(data))

    def _take(self, frames: Iterable[Frame]) -> None:
        """Act on frames. Output is written when the other stream's comes, or at the end: in its order."""
        last = None
        for kind, channel, payload in frames:
            if kind in (wire.STDOUT, wire.STDERR) and channel == _CHANNEL:
                output = self._stdout if kind == wire.STDOUT else self._stderr
                if last and last is not output:
                    self._flush(last)
                self._window -= len(payload)
                if self._window < 0:
                    raise wire.WireError("more output than was asked for")
                if self._broken:
                    self._written += len(payload)
                else:
                    output.add(payload)
                last = output
            else:
                self._control(kind, channel, payload)
            if self._status is not None:
                break
        if last:
            self._flush(last)

    def _control(self, kind: int, channel: int, payload: memoryview) -> None:
        if kind == wire.ERROR:
            raise AgentLost(f"the agent ended the connection: {wire.parse_error(payload)}")
        if channel != _CHANNEL:
            raise wire.WireError(f"type {kind:#x} on channel {channel}")
        if kind == wire.WINDOW:
            self._credit = min(self._credit + wire.parse_window(payload), wire.CREDIT_MAX)
        elif kind == wire.STARTED and not self._started:
            wire.parse_started(payload)
            self._started = True
            if self._request.flags & wire.FLAG_DETACH:
                self._status = 0
        elif kind == wire.EXIT and self._started:
            self._status = wire.exit_status(payload)
            self._greeting.told = wire.exit_told(payload)
        elif kind == wire.FAILED and not self._started:
            raise StartError(*wire.parse_failed(payload))
        elif kind != wire.EOF:  # the end of the output, which EXIT says as well
            raise wire.WireError(f"type {kind:#x} at this time")

    def _flush(self, output: Output) -> None:
        try:
            self._written += output.flush()
        except OSError as error:
            self._cannot_write(error)
        if self._written >= WINDOW // 2 and self._status is None:
            self._send(wire.window(_CHANNEL, self._written))
            self._window += self._written
            self._written = 0

    def _cannot_write(self, error: OSError) -> None:
        """Let the process know, and give it a moment to end; what it writes until then is dropped."""
        if error.errno == errno.EIO:  # the terminal has gone; to leave is what ends all that was started from it
            raise _Over(128 + _signal.SIGHUP)
        number = _signal.SIGPIPE
        self._send(wire.signal(_CHANNEL, number))
        text = f"cannot write the command's output: {(error.strerror or str(error)).lower()}"
        self._broken = _Over(128 + number) if is_gone(error) else OutputError(text)
        self._deadline = time.monotonic() + LINGER
        for output in (self._stdout, self._stderr):
            output.drop()

    def _feed(self, source: Input) -> None:
        data = source.read(min(self._credit, wire.PAYLOAD_MAX))
        if data is None:
            return
        if data:
            self._credit -= len(data)
            self._send(wire.frame(wire.DATA, _CHANNEL, data))
            return
        self._send(wire.frame(wire.EOF, _CHANNEL))
        source.close()
        self._input = None

    def _pass_signals(self) -> None:
        for number in self._signals.taken():
            if number in (_signal.SIGWINCH, _signal.SIGCONT):
                if self._raw and number == _signal.SIGCONT:  # whoever had the terminal meanwhile left it otherwise
                    self._raw.enter()
                self._send(wire.resize(_CHANNEL, *terminal_size(self._screen)))
                continue
            if self._raw and number == _signal.SIGHUP:  # the terminal has gone, and what was started from it goes too
                raise _Over(128 + number)
            self._sent[number] = self._sent.get(number, 0) + 1
            if self._sent[number] >= PATIENCE:
                raise _Over(128 + number)
            self._send(wire.signal(_CHANNEL, number))

    def _send(self, data: bytes) -> None:
        """Send, unless it is over; what is broken is reported by the receiving side.

        An agent that is paused, or none that is honest, may read nothing: then signals are all that ends the waiting.
        """
        if self._status is not None:
            return
        self._signals.breaks = self._end_of_patience
        try:
            self._transport.send(data)
        except OSError:
            return
        finally:
            self._signals.breaks = None

    def _end_of_patience(self, taken: Sequence[int]) -> _Over | None:
        """Return the end that the last of the signals `taken` stands for, as `_pass_signals` would find."""
        number = taken[-1]
        count = self._sent.get(number, 0) + taken.count(number)
        hung_up = self._raw and number == _signal.SIGHUP
        return _Over(128 + number) if hung_up or (number in PASSED_ON and count >= PATIENCE) else None
