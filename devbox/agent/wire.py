"""Frames and messages of the agent's protocol (docs/reference/agent-protocol.md). Pure, and hot: C modules alone.

What comes from the agent is untrusted: whatever is malformed in it is a `WireError`, and nothing else. What cannot
be said in the protocol (an argument with a NUL, more than 1 MiB of them) is a `ValueError` when it is encoded.
"""

from __future__ import annotations

from _struct import Struct

from devbox.agent.fields import Buffer as Buffer
from devbox.agent.fields import Fields as Fields
from devbox.agent.fields import WireError as WireError
from devbox.agent.fields import plain as plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Frame = tuple[int, int, memoryview]  # type, channel, payload
VERSION = 1
MAGIC = b"DEVBOXAG"

HELLO, EXEC, STARTED, FAILED, DATA, STDOUT, STDERR, EOF = 1, 2, 3, 4, 5, 6, 7, 8
WINDOW, RESIZE, SIGNAL, EXIT, CLOSE, CLOSED, CONNECT = 9, 10, 11, 12, 13, 14, 15
LISTENERS, SESSIONS, STAT = 0x10, 0x11, 0x12
LISTEN, ACCEPTED = 0x14, 0x15
ERROR = 0x7F
STREAMS = frozenset((DATA, STDOUT, STDERR))
FROM_AGENT = STREAMS | {HELLO, STARTED, FAILED, EOF, WINDOW, EXIT, CLOSED, LISTENERS, SESSIONS, STAT, ACCEPTED, ERROR}
FROM_CLIENT = frozenset(
    (HELLO, EXEC, DATA, EOF, WINDOW, RESIZE, SIGNAL, CLOSE, CONNECT, LISTENERS, SESSIONS, STAT, LISTEN),
)

FLAG_TERMINAL, FLAG_STDIN, FLAG_DETACH, FLAG_SFTP, FLAG_SYNC = 1, 2, 4, 8, 16  # of EXEC
STAGE_USER, STAGE_CWD, STAGE_EXEC, STAGE_RESOURCES, STAGE_CONNECT, STAGE_LISTEN = 1, 2, 3, 4, 5, 6  # of FAILED
TCP, UDP, UNIX = 1, 2, 3  # kinds of CONNECT and LISTEN
LISTEN_DIRECTORY = 1  # flag of LISTEN: make the path's directory first
ACCEPTED_FIRST = 1 << 31  # channels from here on are chosen by the agent
LISTENER_TCP, LISTENER_UDP = 1, 2
SESSION_TERMINAL, SESSION_DETACHED = 1, 4
SESSIONS_MAX, SESSION_ARGV_MAX = 500, 16
LISTENERS_MAX = 2000
STAT_NO_FOLLOW = 1

PAYLOAD_MAX = 65_536
EXEC_MAX = 1_048_576
DATAGRAM_MAX = 65_507
CREDIT = 65_536  # bytes that may be sent on a channel before the agent has given any back
CREDIT_MAX = 1 << 30  # nobody gives more; keeps sums small
ERRNO_MAX = 4095  # the kernel's own limit
HEADER = 12

_HEADER = Struct("<III")  # the type is the lowest byte of the third word, the others are zero
_HELLO = Struct("<8sHH")
_FAILED = Struct("<IB")
_EXEC = Struct("<IIHH")
_CONNECT = Struct("<IBH")
_LISTEN = Struct("<IBBH")
_U8, _U16, _U32, _U64, _PAIR, _SIZE = (
    Struct("<B"),
    Struct("<H"),
    Struct("<I"),
    Struct("<Q"),
    Struct("<II"),
    Struct("<HH"),
)


class Decoder:
    """Takes frames out of a stream, however it is cut, and holds at most one frame of it.

    `known` are the types that may come. With `pieces` the payload of DATA, STDOUT and STDERR is given on as it
    comes, in as many pieces as it takes, and is never copied; that of all others is always whole.
    """

    __slots__ = ("_body", "_channel", "_error", "_head", "_known", "_left", "_pieces", "_type")

    def __init__(self, *, known: frozenset[int] = FROM_AGENT, pieces: bool = False) -> None:
        self._known = known
        self._pieces = pieces
        self._head = b""
        self._body = bytearray()
        self._left = -1  # bytes of the payload that are still to come; -1 between frames
        self._type = self._channel = 0
        self._error: WireError | None = None

    @property
    def wanted(self) -> int:
        """How many bytes complete the header, or the payload, that is to come next."""
        return self._left if self._left > 0 else HEADER - len(self._head)

    def feed(self, data: Buffer) -> Iterator[Frame]:
        """Yield `(type, channel, payload)` for all that `data` completes; to be exhausted before the next call.

        The payloads are views into `data`, where that is possible. `WireError`, now and ever after, if malformed.
        """
        if self._error:
            raise self._error
        view = memoryview(data)
        at, end = 0, len(view)
        while True:
            if self._left < 0:
                at = self._begin(view, at, end)
                if self._left < 0:
                    return
            step = at + self._left
            if step <= end and not self._body:  # the whole payload, or all that was left of it
                self._left = -1
                yield self._type, self._channel, view[at:step]
                at = step
                continue
            at, piece = self._continue(view, at, end)
            if piece is not None:
                yield self._type, self._channel, piece
            if self._left >= 0:
                return

    def _begin(self, view: memoryview, at: int, end: int) -> int:
        """Take a header, if it is there; return where its payload begins."""
        if self._head or end - at < HEADER:
            step = min(at + HEADER - len(self._head), end)
            self._head += view[at:step]
            if len(self._head) < HEADER:
                return step
            length, self._channel, self._type = _HEADER.unpack(self._head)
            self._head = b""
        else:
            step = at + HEADER
            length, self._channel, self._type = _HEADER.unpack_from(view, at)
        if self._type not in self._known:
            self._fail(f"unknown type {self._type:#x}")
        if length > (EXEC_MAX if self._type == EXEC else PAYLOAD_MAX):
            self._fail(f"a payload of {length} bytes")
        self._left = length
        return step

    def _continue(self, view: memoryview, at: int, end: int) -> tuple[int, memoryview | None]:
        """Take what there is of a payload that is cut; return where it ends, and it if it can be given on."""
        step = min(at + self._left, end)
        self._left -= step - at
        if self._pieces and self._type in STREAMS:
            return step, view[at:step] if step > at else None
        self._body += view[at:step]
        if self._left:
            return step, None
        self._left = -1
        body, self._body = self._body, bytearray()
        return step, memoryview(body)

    def _fail(self, what: str) -> None:
        self._error = WireError(what)
        raise self._error


class Hello:
    """How the agent introduces itself. Of another version nothing but `version` is known."""

    __slots__ = ("accepted", "boot", "build", "identity", "version")

    def __init__(
        self, version: int, *, accepted: bool = False, boot: str = "", identity: str = "", build: str = ""
    ) -> None:
        self.version = version
        self.accepted = accepted
        self.boot = boot  # 32 hex digits, new at each start of the agent
        self.identity = identity
        self.build = build


class ExecMessage:
    """What is to be started inside: `user` "name", "uid:gid" or "" (root); `env` of "K=V"; FLAG_* in `flags`."""

    __slots__ = ("argv", "columns", "cwd", "env", "flags", "rows", "user")

    def __init__(
        self,
        argv: Sequence[str],
        *,
        user: str = "",
        cwd: str = "",
        env: Sequence[str] = (),
        flags: int = FLAG_STDIN,
        size: tuple[int, int] = (24, 80),
    ) -> None:
        self.argv = tuple(argv)
        self.user = user
        self.cwd = cwd
        self.env = tuple(env)
        self.flags = flags
        self.rows, self.columns = size


# What the host says.


def frame(kind: int, channel: int, payload: Buffer = b"") -> bytes:
    """Return one frame."""
    return _HEADER.pack(len(payload), channel, kind) + payload


def header(length: int, kind: int, channel: int) -> bytes:
    """Return the header of a frame whose payload of `length` bytes is sent after it."""
    return _HEADER.pack(length, channel, kind)


def hello(identity: str) -> bytes:
    """Return the HELLO of a client that expects an agent of this identity; empty: any."""
    return frame(HELLO, 0, _HELLO.pack(MAGIC, VERSION, 0) + _text(identity))


def exec_(channel: int, message: ExecMessage, *, window: int) -> bytes:
    """Return EXEC; `window` bytes of output may come before any is asked for. `ValueError` if it cannot be said."""
    rows, columns = min(message.rows, 0xFFFF), min(message.columns, 0xFFFF)
    payload = b"".join(
        (
            _EXEC.pack(message.flags, window, rows, columns),
            _text(message.user),
            _text(message.cwd),
            _texts(message.argv),
            _texts(message.env),
        )
    )
    if len(payload) > EXEC_MAX:
        raise ValueError("the command and its environment are longer than 1 MiB")
    return frame(EXEC, channel, payload)


def connect(channel: int, kind: int, host: str, port: int, *, window: int) -> bytes:
    """Return CONNECT to an address (`host` an address, `localhost` or a path) of the Environment."""
    payload = _CONNECT.pack(window, kind, _port(port)) + _text(host)
    if len(payload) > PAYLOAD_MAX:
        raise ValueError("the path is too long")
    return frame(CONNECT, channel, payload)


def listen(channel: int, kind: int, host: str, port: int, *, user: str, flags: int = 0, window: int) -> bytes:
    """Return LISTEN on an address (or a path) of the Environment; `window` for each connection that comes in."""
    payload = _LISTEN.pack(window, kind, flags, _port(port)) + _text(host) + _text(user)
    if len(payload) > PAYLOAD_MAX:
        raise ValueError("the path is too long")
    return frame(LISTEN, channel, payload)


def window(channel: int, count: int) -> bytes:
    """Return WINDOW: so many more bytes may come."""
    return frame(WINDOW, channel, _U32.pack(count))


def resize(channel: int, rows: int, columns: int) -> bytes:
    """Return RESIZE."""
    return frame(RESIZE, channel, _SIZE.pack(min(rows, 0xFFFF), min(columns, 0xFFFF)))


def signal(channel: int, number: int) -> bytes:
    """Return SIGNAL."""
    return frame(SIGNAL, channel, _U32.pack(number))


def stat(channel: int, path: str, *, follow: bool = True) -> bytes:
    """Return the question for what is at `path`."""
    payload = _U32.pack(0 if follow else STAT_NO_FOLLOW) + _text(path)
    if len(payload) > PAYLOAD_MAX:
        raise ValueError("the path is too long")
    return frame(STAT, channel, payload)


def _port(port: int) -> int:
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"no port: {port}")
    return port


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if 0 in data:
        raise ValueError("a text with a NUL character")
    return _U32.pack(len(data)) + data


def _texts(texts: Iterable[str]) -> bytes:
    items = [_text(text) for text in texts]
    return _U32.pack(len(items)) + b"".join(items)


# What the agent says.


def parse_hello(payload: Buffer) -> Hello:
    """Read the agent's HELLO. That of another version is read as far as all versions have it in common."""
    fields = Fields(payload)
    magic, version, accepted = _HELLO.unpack(fields.raw(_HELLO.size))
    if magic != MAGIC:
        raise WireError("no agent of devbox")
    if version != VERSION:
        return Hello(version)
    if accepted > 1:
        raise WireError("a HELLO that neither accepts nor refuses")
    boot = fields.raw(16).hex()
    identity, build = plain(fields.text()), plain(fields.text())
    fields.end()
    return Hello(version, accepted=accepted == 1, boot=boot, identity=identity, build=build)


def parse_started(payload: Buffer) -> int:
    """Read STARTED: the pid inside, or 0."""
    return _number(payload)


def parse_failed(payload: Buffer) -> tuple[int, int, str]:
    """Read FAILED: `(errno, stage, what)`, fit for a terminal."""
    fields = Fields(payload)
    number, stage, what = fields.u32(), fields.u8(), plain(fields.text())
    fields.end()
    if not STAGE_USER <= stage <= STAGE_LISTEN:
        raise WireError(f"unknown stage {stage}")
    return _errno(number), stage, what


def parse_exit(payload: Buffer) -> tuple[int, int]:
    """Read EXIT: `(exit code, signal)`; the signal is 0 if there was none."""
    if len(payload) not in (_PAIR.size, 2 * _PAIR.size):
        raise WireError("an EXIT of another length")
    code, number = _PAIR.unpack_from(payload)
    if code > 0xFF or number > 64:
        raise WireError(f"an EXIT with code {code}, signal {number}")
    return code, number


def exit_told(payload: Buffer) -> bytes:
    """Read of EXIT what the one sync program inside had told by then; empty if it has, or may have, more to tell."""
    return bytes(payload[_PAIR.size :])


def exit_status(payload: Buffer) -> int:
    """Read EXIT as a shell has it: the exit code, or 128 and the signal."""
    code, number = parse_exit(payload)
    return 128 + number if number else code


def parse_window(payload: Buffer) -> int:
    """Read WINDOW: so many more bytes may be sent."""
    return _number(payload)


def parse_closed(payload: Buffer) -> int:
    """Read CLOSED: errno, or 0."""
    return _errno(_number(payload))


def parse_accepted(payload: Buffer) -> tuple[int, int, str]:
    """Read ACCEPTED: `(channel of the LISTEN, port of the peer, its address)`, fit for a terminal."""
    fields = Fields(payload)
    channel, port, address = fields.u32(), fields.u16(), plain(fields.text())
    fields.end()
    return channel, port, address


def parse_sessions(payload: Buffer) -> list[tuple[int, int, int, int, tuple[str, ...]]]:
    """Read the answer to SESSIONS: `(pid, uid, start in seconds since 1970, SESSION_* flags, argv)` each.

    Of argv nothing is escaped.
    """
    fields = Fields(payload)
    found = []
    for _ in range(fields.count(SESSIONS_MAX)):
        numbers = fields.u32(), fields.u32(), fields.u64(), fields.u8()
        argv = tuple(item.decode("utf-8", "surrogateescape") for item in fields.texts(SESSION_ARGV_MAX))
        found.append((*numbers, argv))
    fields.end()
    return found


def parse_error(payload: Buffer) -> str:
    """Read ERROR: what the agent did not like, fit for a terminal."""
    fields = Fields(payload)
    text = plain(fields.text())
    fields.end()
    return text


def _errno(number: int) -> int:
    if number > ERRNO_MAX:
        raise WireError(f"an error number {number}")
    return number


def _number(payload: Buffer) -> int:
    if len(payload) != _U32.size:
        raise WireError("a number of another length")
    number: int = _U32.unpack(payload)[0]
    return number
