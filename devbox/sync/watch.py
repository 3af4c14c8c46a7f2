"""What happens in directories of this host, as it happens: inotify, without watchdog's thread and its half second.

watchdog's own emitter holds every event back while it waits for the other half of a move, and watches whole trees.
This one watches the directories that it is asked for, tells of each name at once, and says so if it lost something.

A name is told of when there is something to see: a file that is being written when its writer closes it, or after HOLD
if he does not. So who truncates and writes a file anew is seen once, when he is done.
"""

import contextlib
import ctypes
import errno
import os
import select
import struct
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from devbox.sync.core.names import TEMPORARY
from devbox.sync.endpoint import Event

HOLD = 100_000_000  # ns
NONE = -1  # the number of a watch that is not to be had; in an event: all must be looked at

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED, _IS_DIRECTORY = 0x2000, 0x4000, 0x8000, 0x40000000
_ONLY_DIRECTORY = 0x01000000
_CONTENT = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_MASK = _CONTENT | _DELETE_SELF | _MOVE_SELF | _ONLY_DIRECTORY
_SELF = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_AT_ONCE = 64 * 1024  # bytes of events in one read
_HEAD = struct.Struct("iIII")
_TIME = struct.Struct("qqqq")
_NS = 1_000_000_000


class Watcher(Protocol):
    """Tells of changes in directories. `OSError` from any method: it is gone."""

    def fileno(self) -> int:
        """A descriptor that is readable when `gather` has something to do."""

    def add(self, directory: int, path: bytes) -> int:
        """Watch an open directory, which is at `path`; the number of the watch, NONE if no more are to be had."""

    @property
    def holds(self) -> bool:
        """Whether there is something to tell that was not held long enough."""

    def gather(self) -> None:
        """Take what has come, without waiting."""

    def wake(self) -> None:
        """Let `fileno` be readable until the next `gather`."""

    def settle(self) -> None:
        """Have all that happened until now in what `events` gives next."""

    def events(self) -> Iterator[Event]:
        """Take what there is to tell, in its order; the same is told once."""

    def close(self) -> None:
        """Give it back."""


class Blind:
    """Where there is nothing to watch with. No directory can be watched, so all must be looked at again and again."""

    def __init__(self) -> None:
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[0], False)

    def fileno(self) -> int:
        """Readable after `wake` alone."""
        return self._pipe[0]

    def add(self, directory: int, path: bytes) -> int:  # noqa: ARG002 (the protocol's)
        """Refuse."""
        return NONE

    @property
    def holds(self) -> bool:
        """Never."""
        return False

    def gather(self) -> None:
        """Nothing comes."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe[0], _AT_ONCE)

    def wake(self) -> None:
        """Let `fileno` be readable until the next `gather`."""
        os.write(self._pipe[1], b"w")

    def settle(self) -> None:
        """Nothing comes."""

    def events(self) -> Iterator[Event]:
        """Nothing comes."""
        return iter(())

    def close(self) -> None:
        """Give it back."""
        for descriptor in self._pipe:
            os.close(descriptor)


class Inotify:
    """Linux tells of it. `OSError` (EMFILE) if this user has too many of these already."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._queue = _checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._timer = -1
        try:
            self._timer = _checked(self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
            self._poll = select.epoll()
        except OSError:
            self._close_all(self._queue, self._timer)
            raise
        self._poll.register(self._queue, select.EPOLLIN)
        self._poll.register(self._timer, select.EPOLLIN)
        self._told: dict[Event, None] = {}
        self._held: dict[Event, int] = {}  # until when; the oldest first
        self._armed = False

    def fileno(self) -> int:
        """Readable when something happened, or was held long enough."""
        return self._poll.fileno()

    def add(self, directory: int, path: bytes) -> int:  # noqa: ARG002 (the protocol's)
        """Watch it, by its handle: what is at its path in the meantime is no matter. The same again for the same."""
        number: int = self._libc.inotify_add_watch(self._queue, b"/proc/self/fd/%d" % directory, _MASK)
        if number >= 0:
            return number
        if ctypes.get_errno() in (errno.ENOSPC, errno.ENOMEM, errno.ENOENT, errno.EACCES):  # ENOENT: no /proc
            return NONE
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    @property
    def holds(self) -> bool:
        """Whether a file is being written that was not told of yet."""
        return bool(self._held)

    def gather(self) -> None:
        """Read the queue to its end, and let go what was held long enough."""
        while (data := self._read(self._queue)) is not None:
            self._take(data)
        if self._armed and self._read(self._timer) is not None:
            self._armed = False
        self._release(time.monotonic_ns())

    def wake(self) -> None:
        """Let `fileno` be readable until the next `gather`."""
        self._arm(1)

    def settle(self) -> None:
        """An event is in the queue before the call that caused it returns: so reading it to its end is all."""
        self.gather()
        self._told.update(dict.fromkeys(self._held))
        self._held.clear()

    def events(self) -> Iterator[Event]:
        """Take what there is to tell."""
        told, self._told = self._told, {}
        return iter(told)

    def close(self) -> None:
        """End all watches."""
        self._poll.close()
        self._close_all(self._queue, self._timer)

    @staticmethod
    def _close_all(*descriptors: int) -> None:
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    @staticmethod
    def _read(descriptor: int) -> bytes | None:
        try:
            return os.read(descriptor, _AT_ONCE)
        except BlockingIOError:
            return None

    def _take(self, data: bytes) -> None:
        offset = 0
        until = time.monotonic_ns() + HOLD
        while offset < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, offset)
            offset += _HEAD.size
            name = data[offset : offset + length].rstrip(b"\0")
            offset += length
            if not name.startswith(TEMPORARY):
                self._note(watch, mask, name, until)

    def _note(self, watch: int, mask: int, name: bytes, until: int) -> None:
        if mask & _OVERFLOW:
            event = Event(NONE, b"")
        elif mask & _SELF or name:
            event = Event(watch, b"" if mask & _SELF else name)
        else:  # the directory's own mode or times: what changed in it is told by name
            return
        if mask & _IS_DIRECTORY or not mask & (_CREATE | _MODIFY | _ATTRIB):
            self._held.pop(event, None)
            self._told[event] = None
        elif mask & (_CREATE | _MODIFY):
            self._held.setdefault(event, until)
        elif event not in self._held:  # _ATTRIB; of a file that is being written it can wait
            self._told[event] = None

    def _release(self, now: int) -> None:
        while self._held:
            event, until = next(iter(self._held.items()))
            if until > now:
                if not self._armed:
                    self._arm(until - now)
                return
            del self._held[event]
            self._told[event] = None

    def _arm(self, span: int) -> None:
        when = _TIME.pack(0, 0, span // _NS, span % _NS)
        _checked(self._libc.timerfd_settime(self._timer, 0, when, None))
        self._armed = True


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def watcher() -> Watcher:
    """Return what this system has to watch with."""
    if sys.platform != "linux":
        return Blind()
    try:
        return Inotify()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOSYS):
            return Blind()
        raise
