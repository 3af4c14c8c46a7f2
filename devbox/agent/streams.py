"""The standard streams, the terminal and the signals of this process, made fit for one loop that never blocks. Hot.

Descriptors that were given to us are shared with whoever started us, so O_NONBLOCK is never set on them; a pipe or
a terminal is opened a second time instead, where the system lets us.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal
import _socket
import errno
import os
import select
import stat
import sys

from devbox.agent.client import above_standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

READ, WRITE = select.POLLIN, select.POLLOUT
ROWS, COLUMNS = 24, 80
_CAREFUL = 4096  # what a pipe or terminal that is writable takes without blocking
_BATCH = 64  # pieces that are written at once
_PIECES = 256  # small pieces in a row that are made one
_NULL = os.makedev(1, 3)  # what /dev/null is on Linux
_HANGUP = select.POLLHUP | select.POLLERR | select.POLLNVAL


def terminal_size(descriptor: int) -> tuple[int, int]:
    """Return rows and columns of a terminal; 24 and 80 for what is none."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        return ROWS, COLUMNS
    return rows or ROWS, columns or COLUMNS


def is_nothing(descriptor: int) -> bool:
    """Whether it is /dev/null, of which there is one inside as well."""
    try:
        found = os.fstat(descriptor)
        return stat.S_ISCHR(found.st_mode) and found.st_rdev == _NULL
    except OSError:
        return False


def _opened_again(descriptor: int, flags: int) -> int:
    """Return a non-blocking descriptor of the same pipe or terminal with a life of its own; -1 if there is no way."""
    try:
        if not (stat.S_ISFIFO(os.fstat(descriptor).st_mode) or os.isatty(descriptor)):
            return -1
        opened = os.open(f"/proc/self/fd/{descriptor}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # no /proc, somebody else's terminal, nobody at the other end
        return -1
    high = above_standard(opened)
    os.close(opened)
    return high


class Input:
    """What is read and sent inside."""

    __slots__ = ("_descriptor", "_own")

    def __init__(self, descriptor: int) -> None:
        self._own = _opened_again(descriptor, os.O_RDONLY)
        self._descriptor = descriptor if self._own < 0 else self._own

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._descriptor

    def read(self, limit: int) -> bytes | None:
        """Return what there is, at most `limit` bytes; b"" at the end, None if there is nothing yet."""
        try:
            return os.read(self._descriptor, limit)
        except BlockingIOError:
            return None
        except OSError:  # closed, a directory, or a terminal that has gone
            return b""

    def close(self) -> None:
        """Give back what was opened for it."""
        if self._own >= 0:
            os.close(self._own)
            self._own = -1


class Output:
    """What comes from inside and waits until it can be written."""

    __slots__ = ("_descriptor", "_merged", "_own", "_patient", "_socket", "queue")

    def __init__(self, descriptor: int) -> None:
        self._own = _opened_again(descriptor, os.O_WRONLY)
        self._descriptor = descriptor if self._own < 0 else self._own
        self._socket: _socket.socket | None = None
        self._patient = False  # whether writing may block
        if self._own < 0:
            self._look()
        self.queue: list[memoryview] = []
        self._merged = 0  # pieces at the head of the queue that are joined ones

    def _look(self) -> None:
        try:
            mode = os.fstat(self._descriptor).st_mode
        except OSError:  # closed: the first write says so
            return
        self._patient = not stat.S_ISREG(mode)
        if stat.S_ISSOCK(mode):
            self._socket = _socket.socket(-1, -1, -1, above_standard(self._descriptor))

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._descriptor

    def add(self, piece: memoryview) -> None:
        """Put a piece into the queue."""
        if not piece:
            return
        self.queue.append(piece)
        if len(self.queue) - self._merged > _PIECES:  # a view costs more than the byte that it may be of
            self.queue[self._merged :] = [memoryview(b"".join(self.queue[self._merged :]))]
            self._merged += 1

    def flush(self) -> int:
        """Write what can be written now, and return how many bytes that was; `OSError` as from write."""
        total = 0
        while self.queue:
            try:
                count = self._write()
            except BlockingIOError:
                break
            if count == 0:
                break
            total += count
            self._drop(count)
        return total

    def _write(self) -> int:
        if self._socket:
            return self._socket.send(self.queue[0], _socket.MSG_DONTWAIT)
        if not self._patient:
            return os.writev(self._descriptor, self.queue[:_BATCH])
        if not _wait({self._descriptor: WRITE}, 0):
            return 0
        return os.write(self._descriptor, self.queue[0][:_CAREFUL])

    def _drop(self, count: int) -> None:
        done = 0
        while done < len(self.queue) and count >= len(self.queue[done]):
            count -= len(self.queue[done])
            done += 1
        if count:
            self.queue[done] = self.queue[done][count:]
        del self.queue[:done]
        self._merged = max(0, self._merged - done)

    def drop(self) -> None:
        """Throw away what waits."""
        self.queue.clear()
        self._merged = 0

    def close(self) -> None:
        """Give back what was opened for it."""
        if self._own >= 0:
            os.close(self._own)
            self._own = -1
        if self._socket:
            self._socket.close()
            self._socket = None


def outputs(stdout: int, stderr: int) -> tuple[Output, Output]:
    """Return both outputs; the same one twice for one pipe or terminal, where their order is to be seen."""
    first = Output(stdout)
    try:
        one, other = os.fstat(stdout), os.fstat(stderr)
    except OSError:
        return first, Output(stderr)
    same = (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) and not stat.S_ISREG(one.st_mode)
    return first, first if same else Output(stderr)


def _wait(wanted: dict[int, int], seconds: float | None) -> dict[int, int]:
    """Wait until a descriptor is ready for what is wanted of it, or broken; return those that are."""
    if sys.platform == "darwin":  # its poll knows no terminals
        return _wait_by_select(wanted, seconds)
    waiting = select.poll()
    for descriptor, events in wanted.items():
        waiting.register(descriptor, events)
    return dict(waiting.poll(None if seconds is None else seconds * 1000))


def _wait_by_select(wanted: dict[int, int], seconds: float | None) -> dict[int, int]:
    broken = {descriptor: _HANGUP for descriptor in wanted if not _is_open(descriptor)}
    if broken:
        return broken
    reading = [descriptor for descriptor, events in wanted.items() if events & READ]
    writing = [descriptor for descriptor, events in wanted.items() if events & WRITE]
    readable, writable, _ = select.select(reading, writing, [], seconds)
    found = dict.fromkeys(readable, READ)
    for descriptor in writable:
        found[descriptor] = found.get(descriptor, 0) | WRITE
    return found


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class Waiter:
    """Waits for the same descriptors again and again."""

    __slots__ = ("_poll", "_wanted")

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}
        self._poll: Any = None

    def wait(self, wanted: dict[int, int], seconds: float | None = None) -> dict[int, int]:
        """Wait until one is ready for what is wanted of it, or broken, or the time is over."""
        if sys.platform == "darwin":
            return _wait(wanted, seconds)
        if wanted != self._wanted:
            self._poll = select.poll()
            for descriptor, events in wanted.items():
                self._poll.register(descriptor, events)
            self._wanted = wanted
        return dict(self._poll.poll(None if seconds is None else seconds * 1000))


class Raw:
    """The terminal, its keys handed through untouched from `enter` to `leave`."""

    __slots__ = ("_before", "_descriptor")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None

    def enter(self) -> None:
        """Make it raw; also again, after somebody else had it."""
        import termios  # lazy: a shared object that a command in a pipe does not need

        try:
            now = termios.tcgetattr(self._descriptor)
            if self._before is None:
                self._before = termios.tcgetattr(self._descriptor)
            now[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
            now[1] &= ~termios.OPOST
            now[2] = now[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
            now[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
            now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._descriptor, termios.TCSANOW, now)
        except termios.error:  # it has gone, which the first output will tell
            return

    def leave(self) -> None:
        """Give it back as it was."""
        if self._before is None:
            return
        import termios  # lazy, as above

        before, self._before = self._before, None
        try:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, before)
        except termios.error:  # it has gone
            return


class Signals:
    """Signals of this process, made into something to wait for; outside of the main thread there are none.

    One that is ignored (nohup, a job in the background of a script) stays ignored. While `breaks` is set it is asked
    at each signal what there is to be raised, in the midst of whatever this process waits for; that happens once.
    """

    __slots__ = ("_before", "_read", "_taken", "_wakeup", "_write", "breaks")

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.breaks: Callable[[Sequence[int]], Exception | None] | None = None
        self._taken: list[int] = []
        self._before: dict[int, Any] = {}
        self._wakeup: int | None = None  # the one of before, if there can be any
        self._read, self._write = _pipe()
        try:
            self._wakeup = _signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        except ValueError:  # not the main thread
            return
        for number in numbers:
            before = _signal.getsignal(number)
            if before is not None and before != _signal.SIG_IGN:
                self._before[number] = before
                _signal.signal(number, self._take)

    def _take(self, number: int, _frame: object) -> None:
        self._taken.append(number)
        error = self.breaks(self._taken) if self.breaks else None
        if error:
            self.breaks = None
            raise error

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._read

    def taken(self) -> list[int]:
        """Return the signals that came since the last call."""
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            return []
        taken, self._taken = self._taken, []  # one in between lands in one of the two
        return taken

    def close(self) -> None:
        """Let the handlers of before have them again."""
        for number, before in self._before.items():
            _signal.signal(number, before)
        if self._wakeup is not None:
            _signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)


def _pipe() -> tuple[int, int]:
    ends = []
    for end in os.pipe():
        os.set_blocking(end, False)
        ends.append(above_standard(end))
        os.close(end)
    return ends[0], ends[1]


def is_gone(error: OSError) -> bool:
    """Whether nobody is at the other end of an output any more."""
    return error.errno in (errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EBADF)
