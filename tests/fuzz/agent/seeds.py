"""The seeds of the fuzzer, made by the host's own encoder. `python -m tests.fuzz.agent.seeds` writes them anew."""

from hashlib import blake2b
from pathlib import Path
from struct import pack

from devbox.agent import wire
from devbox.agent.wire import ExecMessage, frame
from devbox.sync.core.entry import Stamp
from devbox.sync.endpoint import (
    Abort,
    Barrier,
    Begin,
    Chunk,
    Commit,
    Copy,
    Hash,
    List,
    MakeDirectory,
    MakeLink,
    Mark,
    Put,
    Read,
    Remove,
    Rename,
    Request,
    SetExecutable,
    Stat,
)
from devbox.sync.wire import encode

CORPUS = Path(__file__).parent / "corpus"
_SAYS_HELLO, _READS_NOTHING, _ENDS_EARLY = 1, 2, 4  # as client.c has them
_WHOLE, _SMALL = 31 << 3, 5 << 3  # all at once; 32 bytes at a time

_PASSWD = b"root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n+::::::\nodd:x:99999999999:1:::\n"
_GROUP = b"root:x:0:\nwheel:x:10:root,dev\naudio:x:20:dev\nodd:x:-1:dev\n"
_TCP = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1\n"
)
_UDP = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n"
    b"  9: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0\n"
    b" 10: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 0:0 0:0 0 4294967296 0 1\n"
)


def client(data: bytes, how: int = _SAYS_HELLO | _WHOLE) -> bytes:
    return b"C" + bytes((how,)) + data


def exec_(channel: int, *argv: str, window: int = 70_000, **values: object) -> bytes:
    return wire.exec_(channel, ExecMessage(argv, **values), window=window)  # type: ignore[arg-type]


def trees() -> dict[str, bytes]:
    """Return what clients of the sync program say."""
    data, none, all_ = b"content", b"\0", Stamp(0o100644, 0, 0, 0, 0)
    digest = blake2b(data, digest_size=32).digest()
    requests: list[Request] = [
        MakeDirectory(b"d"),
        Put(b"d/a", None, data, digest, True, -1),
        MakeLink(b"d/l", None, b"../..", b"k/l"),
        List(b"", True),
        List(b"d"),
        Stat(b"d/l"),
        Read(b"d/a", None, 1, 3),
        Hash(b"d/a", all_, 2),
        Begin(1, b"d/b", digest),
        Chunk(1, 0, data),
        Copy(1, b"d/a", all_, 0, 0, 9),
        Commit(1, b"d/b", None, len(data), digest, False, 0),
        Begin(2, b"c", digest),
        Abort(2),
        Remove(b"d/a", all_, b"k/a"),
        Rename(b"d/b", all_, b"e"),
        SetExecutable(b"d/b", all_, True),
        Mark(b"nonce"),
        Barrier(),
    ]
    said = [encode(number, request) for number, request in enumerate(requests, 1)]
    whole = [pack("<I", len(one) - 4) + one[4:] for one in said]
    return {"sync-all": b"Y" + b"".join(whole), "sync-paths": b"Y" + whole[0].replace(b"d", b"..") + none * 40}


def conversations() -> dict[str, bytes]:
    """Return what clients say."""
    with_input = exec_(1, "cat", "-", flags=wire.FLAG_STDIN, user="dev:wheel", cwd="/tmp", env=("A=1", "PATH=/bin"))
    terminal = exec_(3, "sh", flags=wire.FLAG_TERMINAL | wire.FLAG_STDIN, size=(24, 80))
    talk = frame(wire.DATA, 1, b"some words\n") + wire.window(1, 5) + wire.resize(1, 50, 100) + wire.signal(1, 15)
    bye = frame(wire.EOF, 1) + frame(wire.CLOSE, 1)
    questions = frame(wire.LISTENERS, 5) + frame(wire.SESSIONS, 7) + wire.stat(9, "/etc/passwd")
    reach = wire.connect(11, wire.TCP, "::1", 80, window=9) + wire.connect(13, wire.UNIX, "/run/x.sock", 0, window=9)
    listen = wire.listen(15, wire.TCP, "127.0.0.1", 0, user="", window=5)
    local = wire.listen(17, wire.UNIX, "/tmp/d/s", 0, user="dev", flags=wire.LISTEN_DIRECTORY, window=5)
    return {
        "hello": client(wire.hello("identity"), _WHOLE),
        "hello-of-another": client(wire.hello("another"), _WHOLE),
        "hello-of-another-version": client(frame(wire.HELLO, 0, wire.MAGIC + b"\xff\xff\0\0"), _WHOLE),
        "no-hello": client(b"GET / HTTP/1.1\r\n\r\n", _WHOLE),
        "a-process": client(with_input + talk + bye),
        "a-process-in-pieces": client(with_input + talk + bye, _SAYS_HELLO | _SMALL),
        "a-process-that-ends-early": client(with_input + talk * 3, _SAYS_HELLO | _SMALL | _ENDS_EARLY),
        "a-terminal": client(
            terminal + frame(wire.DATA, 3, b"ls\n\x03\x04") + wire.resize(3, 1, 1) + wire.signal(3, 2)
        ),
        "a-terminal-that-is-left": client(terminal + frame(wire.EOF, 3), _SAYS_HELLO | _SMALL),
        "detached": client(exec_(1, "sleep", "9", flags=wire.FLAG_DETACH) + frame(wire.SESSIONS, 3)),
        "sftp": client(exec_(1, flags=wire.FLAG_SFTP) + frame(wire.DATA, 1, b"\0\0\0\5\1\0\0\0\3")),
        "many-processes": client(b"".join(exec_(number, "cat") for number in range(1, 20)) + frame(wire.SESSIONS, 99)),
        "much-input": client(with_input + frame(wire.DATA, 1, b"x" * 60_000) + wire.window(1, 1 << 31)),
        "much-input-nobody-reads": client(
            with_input + frame(wire.DATA, 1, b"x" * 60_000) + questions * 9, _SAYS_HELLO | _WHOLE | _READS_NOTHING
        ),
        "no-credit": client(exec_(1, "cat", window=0, flags=wire.FLAG_STDIN) + frame(wire.DATA, 1, b"x" * 65_536)),
        "questions": client(questions),
        "questions-in-pieces": client(questions, _SAYS_HELLO | _SMALL),
        "reaching-in": client(reach + listen + local),
        "unknown-channels": client(talk + bye + frame(wire.DATA, 1 << 30)),
        "a-list-that-is-too-long": client(frame(wire.EXEC, 1, pack("<IIHHIII", 0, 1, 0, 0, 0, 0, 0xFFFFFFFF))),
    }


def _packet(kind: int, *fields: bytes | int) -> bytes:
    data = b"".join(pack(">I", item) if isinstance(item, int) else pack(">I", len(item)) + item for item in fields)
    return pack(">IB", len(data) + 1, kind) + data


def _handle(number: int) -> bytes:
    return pack(">I", number)


def files() -> dict[str, bytes]:
    """Return what sftp clients say."""
    attributes = (0x8000000F).to_bytes(4, "big") + bytes(8) + pack(">IIIIIII", 1, 1, 0o644, 1, 2, 0, 0)
    opened = _packet(3, 1, b"/tmp/xy", 0x1A, 4, 0o644)
    kinds = {
        "init": pack(">IBI", 5, 1, 3),
        "open-write-read-close": opened
        + _packet(6, 2, _handle(0), 0, 5, b"words")
        + _packet(5, 3, _handle(0), 0, 0, 100)
        + _packet(8, 4, _handle(0))
        + pack(">IBI", len(attributes) + 13, 10, 5)
        + pack(">I", 4)
        + _handle(0)
        + attributes
        + _packet(4, 6, _handle(0)),
        "a-directory": _packet(11, 1, b"/home") + _packet(12, 2, _handle(0)) * 3 + _packet(4, 3, _handle(0)),
        "paths": b"".join(_packet(kind, 1, b"/some/xy") for kind in (7, 13, 15, 16, 17, 19)),
        "two-paths": b"".join(_packet(kind, 1, b"/one/xy", b"/othe/xy") for kind in (18, 20)),
        "set": pack(">IBI", len(attributes) + 9, 9, 1) + pack(">I", 4) + b"/abc" + attributes,
        "extended": b"".join(
            _packet(200, 1, name.encode(), b"/some/xy", b"/othe/xy")
            for name in ("posix-rename@openssh.com", "statvfs@openssh.com", "hardlink@openssh.com", "nobody@knows")
        ),
        "home": _packet(200, 1, b"expand-path@openssh.com", b"~dev/x") + _packet(200, 1, b"limits@openssh.com"),
        "far": opened
        + _packet(6, 2, _handle(0), 0x7FFFFFFF, 0xFFFFFFFF, b"x")
        + _packet(5, 3, _handle(0), -1 & 0xFFFFFFFF, 0, 0),
    }
    return {f"sftp-{name}": b"S" + data for name, data in kinds.items()}


def lists() -> dict[str, bytes]:
    """Return users that are looked for, and tables of sockets."""
    wanted = ("root", "dev", "1000", "dev:audio", "4:4", "", ":", "nobody", "odd", "+")
    found = {f"user-{index}": b"U" + b"\0".join((name.encode(), _PASSWD, _GROUP)) for index, name in enumerate(wanted)}
    long = b"x" * 70_000
    found["user-behind-a-long-line"] = b"U" + b"\0".join(
        (b"dev", long + b"\n" + _PASSWD, long[:65_536] + b"\n" + _GROUP)
    )
    return found | {"table-tcp": b"T" + _TCP, "table-udp": b"T" + _UDP, "table-cut": b"T" + _UDP[:-40]}


def seeds() -> dict[str, bytes]:
    """Return all seeds by their names."""
    return conversations() | files() | lists() | trees()


if __name__ == "__main__":
    for name, data in seeds().items():
        (CORPUS / name).write_bytes(data)
