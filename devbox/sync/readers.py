"""How a host's end has many files read: by a process beside it once there is much to read, else by itself.

Reading, comparing and hashing a file takes as long as all that the session does with it, and one Python process uses
one processor. Nothing depends on that process: what it did not answer is read here.
"""

import contextlib
import os
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from devbox.confined import RefusedError, Root
from devbox.process import Helper
from devbox.sync.endpoint import Answer, Content, Gather
from devbox.sync.many import check
from devbox.sync.reader import ANSWERED, ASKED, HEAD, NONE

MANY: Final = 1000  # files; for fewer it is not worth a process
IDLE: Final = 5.0  # seconds after which nobody is expected to ask any more
_AT_ONCE: Final = 16  # requests that it has
_SAID: Final = 64 * 1024  # bytes of them, of which no socket is full: each side would wait for the other
_PACKAGES: Final = str(Path(__file__).resolve().parents[2])
_BEGIN: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from devbox.sync.reader import main; main(float(sys.argv[2]))"
)

Done = Callable[[Answer], None]


class _Asked:
    """A request that the process has, and what has come of it."""

    __slots__ = ("_data", "_heads", "_missing", "done", "length", "request")

    def __init__(self, request: Gather, done: Done, length: int) -> None:
        self.request, self.done, self.length = request, done, length
        self._heads: list[tuple[int, bytes]] = []
        self._data = bytearray(ANSWERED.size * len(request.files))
        self._missing = memoryview(self._data)

    def take(self, line: socket.socket) -> Answer:
        """Take what there is, until that is all. `BlockingIOError` if it has to come yet, `EOFError` if it will not."""
        while True:
            while self._missing:
                count = line.recv_into(self._missing, flags=socket.MSG_DONTWAIT)
                if not count:
                    raise EOFError
                self._missing = self._missing[count:]
            if self._heads:
                return Answer(contents=tuple(self._cut()))
            self._heads = list(ANSWERED.iter_unpack(self._data))
            self._data = bytearray(sum([length for length, _ in self._heads if length != NONE]))
            self._missing = memoryview(self._data)

    def _cut(self) -> Iterator[Content | None]:
        data, at = bytes(self._data), 0
        for length, digest in self._heads:
            if length == NONE:
                yield None
                continue
            yield Content(data[at : at + length], digest)
            at += length


class Readers:
    """Answers each Gather of a root, in their order. `read`: answers it here; `selector`: hears of what comes."""

    def __init__(self, root: Root, read: Callable[[Gather], Answer], selector: selectors.BaseSelector) -> None:
        self._root = root
        self._read = read
        self._selector = selector
        self._count = 0
        self._process: Helper | None = None
        self._line: socket.socket | None = None
        self._able = True
        self._proved = False
        self._asked: deque[_Asked] = deque()
        self._length = 0  # of what was said and is not answered
        self._waiting: deque[tuple[Gather, Done]] = deque()

    def ask(self, request: Gather, done: Done) -> None:
        """Have these files read; `done` is called with what came of it, perhaps before this returns."""
        self._count += len(request.files)
        if not request.files or (self._line is None and not self._start()):
            done(self._read(request))
            return
        self._waiting.append((request, done))
        self._send()

    def process(self) -> None:
        """Take what was read, without waiting."""
        for _ in range(_AT_ONCE):
            line = self._line
            if line is None:
                return
            try:
                if not self._asked:
                    line.recv(1, socket.MSG_DONTWAIT)  # nothing is expected but its end
                    raise EOFError  # noqa: TRY301 (as of one in the middle)
                answer = self._asked[0].take(line)
            except BlockingIOError:
                return
            except (OSError, EOFError):
                self._end()
                return
            one = self._asked.popleft()
            self._length -= one.length
            self._proved = True
            self._send()
            one.done(answer)

    def close(self) -> None:
        """End the process; what was asked is not answered any more."""
        self._asked.clear()
        self._waiting.clear()
        self._end()

    def _start(self) -> bool:
        if not self._able or self._count < MANY:
            return False
        try:
            self._line, theirs = socket.socketpair()
            with theirs:
                argv = [sys.executable, "-I", "-S", "-c", _BEGIN, _PACKAGES, str(IDLE)]
                self._process = Helper(argv, stdin=theirs.fileno())
            self._selector.register(self._line, selectors.EVENT_READ)
        except OSError:  # no process or no descriptor is to be had: it goes without
            self._end()
            return False
        return True

    def _send(self) -> None:
        """Say what it can take without waiting; one that is too long for that when it has nothing else to do."""
        while self._line is not None and self._waiting and len(self._asked) < _AT_ONCE:
            request, done = self._waiting[0]
            said = _said(request)
            if self._asked and self._length + len(said) > _SAID:
                return
            self._waiting.popleft()
            try:
                check(request)
                directory = self._root.directory(request.path)
            except (OSError, RefusedError):
                done(self._read(request))  # which says the same, as it has to be said
                continue
            self._asked.append(_Asked(request, done, len(said)))
            self._length += len(said)
            try:
                self._line.sendall(said[socket.send_fds(self._line, [said], [directory]) :])
            except OSError:  # it has gone, which `process` sees
                return
            finally:
                os.close(directory)

    def _end(self) -> None:
        """It has ended, or has to: what it leaves is read here."""
        if self._line is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._line)
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.end()
            self._process = None
        self._able, self._proved = self._proved, False  # one that never answered is not tried again
        self._count = 0
        left = [*((one.request, one.done) for one in self._asked), *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        self._length = 0
        for request, done in left:
            done(self._read(request))


def _said(request: Gather) -> bytes:
    files = b"".join([ASKED.pack(stamp, len(name)) + name for name, stamp in request.files])
    return HEAD.pack(len(request.files), len(files)) + files
