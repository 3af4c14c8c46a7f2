"""The process that reads many files for a host's end: a program of its own, which uses another processor.

It is asked over a socket, its standard input. A request is `HEAD` and then, for each file, `ASKED` and the name; with
it comes the open directory, so that this process looks up nothing but names in what it was given. The answer is
`ANSWERED` for each file, a digest with it, and then all contents, one after another. It ends when its socket does,
or when nobody has asked for a while.
"""

import os
import select
import socket
from struct import Struct
from typing import Final

from devbox.sync.core.entry import PACKED, size_of
from devbox.sync.endpoint import SMALL, Content
from devbox.sync.rows import digest_of

HEAD: Final = Struct("<II")  # how many files, and how many bytes tell of them
ASKED: Final = Struct("<36sI")  # the packed Stamp that it must have, and how long its name is
ANSWERED: Final = Struct("<i32s")  # how long its content is, NONE if it could not be had
NONE: Final = -1
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def content(directory: int, name: bytes, stamp: bytes) -> Content | None:
    """Read a file that is just what its packed `stamp` says, of at most SMALL bytes; None if it is not."""
    size = size_of(stamp)
    if size > SMALL:
        return None
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=directory)
    except OSError:
        return None
    try:
        data = os.read(descriptor, size + 1)
        # Only afterwards: what was another before the read, or became so, shows it now.
        found = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    now = PACKED.pack(found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    if len(data) != size or now != stamp:
        return None
    return Content(data, digest_of(data))


def main(idle: float) -> None:
    """Answer until nobody has asked for so many seconds."""
    line = socket.socket(fileno=0)
    while select.select([line], [], [], idle)[0]:
        head, descriptors, _, _ = socket.recv_fds(line, HEAD.size, 1)
        if not descriptors:
            return
        try:
            if len(head) < HEAD.size:
                head += _exactly(line, HEAD.size - len(head))
            count, length = HEAD.unpack(head)
            line.sendall(_answer(descriptors[0], count, _exactly(line, length)))
        finally:
            os.close(descriptors[0])


def _answer(directory: int, count: int, asked: bytes) -> bytes:
    heads, contents, at = [], [], 0
    for _ in range(count):
        stamp, length = ASKED.unpack_from(asked, at)
        at += ASKED.size + length
        found = content(directory, asked[at - length : at], stamp)
        if found is None:
            heads.append(ANSWERED.pack(NONE, b""))
            continue
        heads.append(ANSWERED.pack(len(found.data), found.digest))
        contents.append(found.data)
    return b"".join((*heads, *contents))


def _exactly(line: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        more = line.recv(length - len(data))
        if not more:
            raise SystemExit
        data += more
    return bytes(data)
