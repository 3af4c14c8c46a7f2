"""How the host gets to an agent: its socket, and the HELLO. Hot: C modules, `os` and `sys` alone.

Every failure is an `AgentError`. As long as it is `NoAgent` or `OtherAgent`, nothing has been started inside and
nothing been read from anybody, so the caller may go another way.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import select
import time
from _struct import pack

from devbox.agent import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devbox.agent.transport import Transport
    from devbox.agent.wire import Buffer, Decoder, Frame, Hello

PATIENCE = 5.0  # seconds for connecting, and for the HELLO
CHUNK = 256 * 1024  # the most that is received at once
_KIND, _SOCKET = 0o170000, 0o140000  # of st_mode
_STANDARD = 3  # descriptors below are the standard streams, were they closed or not


class AgentError(Exception):
    """The agent cannot be used; the text is lower-case and fit for a terminal."""


class NoAgent(AgentError):
    """No agent answers."""


class AgentBusy(NoAgent):
    """An agent is there and lets nobody more in."""


class OtherAgent(AgentError):
    """An agent answers that is of another version, or was made for something else."""


class AgentLost(AgentError):
    """The connection ended in the middle."""


class StartError(AgentError):
    """What was asked for could not be started, or reached: `errno`, `stage` (`wire.STAGE_*`), the agent's words."""

    def __init__(self, errno: int, stage: int, text: str) -> None:
        super().__init__(f"{text}: {os.strerror(errno)}" if errno else text)
        self.errno = errno
        self.stage = stage
        self.text = text


class SocketTransport:
    """The transport over a connected socket."""

    __slots__ = ("_socket",)

    def __init__(self, connected: _socket.socket) -> None:
        self._socket = connected

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._socket.fileno()

    def receive(self, limit: int) -> bytes:
        """Return what there is, at most `limit` bytes; b"" at the end."""
        return self._socket.recv(limit)

    def send(self, data: Buffer) -> None:
        """Send all of `data`; `OSError` if it cannot be."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Give it back, and free a thread that receives; may be called again."""
        try:
            self._socket.shutdown(_socket.SHUT_RDWR)
        except OSError:  # closed already, by one side or the other
            self._socket.close()
            return
        self._socket.close()


def open_socket(path: str) -> _socket.socket:
    """Return a blocking socket that is connected to the agent at `path`; `NoAgent` if that fails within 5 s.

    Follows no link at the end: root inside can write to the socket's directory, and must not choose whom on this
    host we talk to. Works for paths that are longer than a socket's name may be. Never a standard descriptor.
    """
    connected = _unix_socket()
    door = -1
    try:
        door, place = _door(path)
        # A full queue of connections must not keep us for ever; sending later may take as long as it takes.
        connected.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, pack("@ll", int(PATIENCE), 0))
        connected.connect(place)
        connected.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, pack("@ll", 0, 0))
    except OSError as error:
        connected.close()
        raise NoAgent(f"no agent answers: {(error.strerror or str(error)).lower()}") from error
    finally:
        if door >= 0:
            os.close(door)
    return connected


def _door(path: str) -> tuple[int, str]:
    """Return a descriptor of the socket at `path`, to be closed, and a name by which that very one is reached."""
    if not hasattr(os, "O_PATH"):  # not Linux: nothing inside can write here
        return -1, path
    door = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if os.fstat(door).st_mode & _KIND != _SOCKET:
        os.close(door)
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
    return door, f"/proc/self/fd/{door}"


def dial(path: str) -> SocketTransport:
    """Return the transport to the agent at `path`; `NoAgent` as `open_socket`."""
    return SocketTransport(open_socket(path))


def _unix_socket() -> _socket.socket:
    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    if made.fileno() >= _STANDARD:
        return made
    descriptor = above_standard(made.fileno())
    made.close()
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)


def above_standard(descriptor: int) -> int:
    """Return a duplicate that is none of the standard descriptors: a caller may have closed those."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _STANDARD)


def hello(transport: Transport, identity: str, decoder: Decoder, request: bytes = b"") -> tuple[Hello, Iterator[Frame]]:
    """Say HELLO, and `request` in the same breath; return the answer and the frames that come right after it.

    Those are to be exhausted before `decoder` is fed again.

    `OtherAgent` if it is another version or identity: then `request` has not been looked at. `NoAgent` if none
    answers within 5 s, or what answers is no agent. `identity` empty: any.
    """
    try:
        _say(transport, wire.hello(identity) + request)
        first, frames = receive_first(transport, decoder)
    except (OSError, wire.WireError) as error:
        raise NoAgent(f"the agent does not answer as one: {error}") from error
    return welcome(first, identity), frames


def _say(transport: Transport, data: bytes) -> None:
    try:
        transport.send(data)
    except (BrokenPipeError, ConnectionResetError):  # it may have said why before it closed
        return


class Greeting:
    """The way to an agent that is to be greeted: by `answer` alone, or in one breath with what it is asked.

    Owns `transport`. `told`: see `wire.exit_told`, of what was started over it.
    """

    __slots__ = ("_answer", "_frames", "_identity", "decoder", "told", "transport")

    def __init__(self, transport: Transport, identity: str) -> None:
        self.transport = transport
        self.decoder = wire.Decoder(pieces=True)
        self.told = b""
        self._identity = identity
        self._answer: Hello | None = None
        self._frames: Iterator[Frame] = iter(())

    def answer(self) -> Hello:
        """Return what the agent says of itself; errors as `hello`."""
        if self._answer is None:
            self._answer, self._frames = hello(self.transport, self._identity, self.decoder)
        return self._answer

    def ask(self, request: bytes) -> Iterator[Frame]:
        """Say `request`, and return the frames that have come after the answer; errors and conditions as `hello`."""
        if self._answer is None:
            self._answer, self._frames = hello(self.transport, self._identity, self.decoder, request)
            return self._frames
        try:
            self.transport.send(request)
        except OSError as error:  # it has answered and gone since, so nobody has `request` whole
            raise NoAgent("the agent has ended since it answered") from error
        return self._frames


def welcome(first: Frame, identity: str) -> Hello:
    """Return the HELLO that is the agent's first frame; errors as `hello`."""
    kind, channel, payload = first
    try:
        if kind == wire.ERROR:
            raise AgentBusy(f"the agent refused: {wire.parse_error(payload)}")
        if kind != wire.HELLO or channel:
            raise NoAgent("what answers is no agent")
        answer = wire.parse_hello(payload)
    except wire.WireError as error:
        raise NoAgent(f"the agent does not answer as one: {error}") from error
    if answer.version != wire.VERSION:
        raise OtherAgent(f"the agent speaks version {answer.version}, not {wire.VERSION}")
    if not answer.accepted or (identity and answer.identity != identity):
        raise OtherAgent("the agent belongs to another environment")
    return answer


def ask(transport: Transport, identity: str, question: bytes) -> memoryview:
    """Ask one question (`wire.frame(wire.SESSIONS, 1)` and the like) and return the answer's payload.

    Closes `transport`. `NoAgent`, `OtherAgent`, `AgentLost` as they come; none takes more than 10 s.
    """
    asked = question[8]
    decoder = wire.Decoder()
    try:
        _, frames = hello(transport, identity, decoder, question)
        kind, _, payload = next(frames, None) or receive_first(transport, decoder)[0]
    except wire.WireError as error:
        raise AgentLost(f"the agent does not keep to its protocol: {error}") from error
    except OSError as error:
        raise AgentLost(f"the connection to the environment broke: {error.strerror or error}") from error
    finally:
        transport.close()
    if kind == wire.ERROR:
        raise AgentLost("the agent did not take a question")
    if kind != asked:
        raise AgentLost("the agent answered another question")
    return payload


def receive_first(transport: Transport, decoder: Decoder) -> tuple[Frame, Iterator[Frame]]:
    """Receive until there is a frame; return it, and what else came with it. `NoAgent` if there is none within 5 s."""
    deadline = time.monotonic() + PATIENCE
    waiting = select.poll()
    waiting.register(transport.fileno(), select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise NoAgent(f"the agent does not answer within {PATIENCE:.0f} s")
        try:
            data = transport.receive(CHUNK)
        except BlockingIOError:
            continue
        if not data:
            raise NoAgent("the agent closed the connection")
        frames = decoder.feed(data)
        first = next(frames, None)
        if first:
            return first, frames
