"""The two pipes to the client's ssh, made into the one socket that asyncssh wants."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

Moved = TypeVar("Moved")
_CHUNK: Final = 256 * 1024


@contextmanager
def joined(stdin: int, stdout: int) -> Iterator[socket.socket]:
    """Give the socket; what was written to it has gone to `stdout` when this ends. Both may be any kind of file."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, 2 * _CHUNK)
    reader = threading.Thread(target=_pump, args=(stdin, ours.fileno(), ours, socket.SHUT_WR), daemon=True)
    writer = threading.Thread(target=_pump, args=(ours.fileno(), stdout, ours, socket.SHUT_RDWR), daemon=True)
    reader.start()
    writer.start()
    try:
        yield theirs
    finally:
        theirs.close()  # asyncssh has closed it already, unless it never came to that; the writer ends by it
        writer.join()
        if reader.is_alive():  # it waits for a client that says nothing more, and ends with the process
            ours.detach()
        else:
            ours.close()


def _pump(source: int, target: int, ours: socket.socket, then: int) -> None:
    """Move bytes until the source ends or the target has gone; then end the socket that way."""
    with contextlib.suppress(OSError):
        _move(source, target)
    with contextlib.suppress(OSError):
        ours.shutdown(then)


def _move(source: int, target: int) -> None:
    # No splice: it holds the pipe's lock while it waits, so that the other side of the pipe waits as well.
    while data := taken(source):
        put(target, data)


def taken(source: int) -> bytes:
    """Return what there is, waiting for it; nothing at the end. `OSError` as `os.read`."""
    return _waited(source, select.POLLIN, partial(os.read, source, _CHUNK))


def put(target: int, data: bytes) -> None:
    """Write all of `data`, waiting for room; `OSError` as `os.write`."""
    view = memoryview(data)
    while view:
        view = view[_waited(target, select.POLLOUT, partial(os.write, target, view)) :]


def _waited(descriptor: int, event: int, act: Callable[[], Moved]) -> Moved:
    """Do `act`, on a descriptor that somebody may have made non-blocking."""
    while True:
        try:
            return act()
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(descriptor, event)
            waiting.poll()
