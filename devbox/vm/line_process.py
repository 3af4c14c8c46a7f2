"""The process that the line lives in: one per agent's socket, started by `lines`.

It detaches itself and lives as long as QEMU holds the other end of the port's socket. The exit status of what was
started says whether it lives (0), or why not (1, on stderr). The agent's socket is there when the machine answers.

A Supervisor becomes a process in much the same way (supervisor/daemon.py), and nothing of that is used here: `vm` lies
below it, the lock says here whose line holds it, and what it loads would be held for as long as a machine runs.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal
import _socket
import fcntl
import os
import resource
import sys
import time

from devbox.vm.line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

READY = b"ready"
LOCK = ".lock"  # what is added to the path of the agent's socket
_BACKLOG = 128
_PATIENCE = 3.0  # seconds for the line before to be gone
_PAUSE = 0.02


class LineError(Exception):
    """The line cannot be had; the text is for the one who asked for it."""


class Life:
    """What the process needs on this host: one per AGENT_SOCKET, no terminal, the two sockets."""

    def __init__(self, port: str, agent: str) -> None:
        self.port = os.path.abspath(port)
        self.place = os.path.abspath(agent)
        self.held = -1

    def live(self, ready: Callable[[], None]) -> None:
        """Serve to the end; `ready` is called when the port is ours, or another line's. `LineError`."""
        self.settle()
        if self.lock():
            try:
                port = self.connected()
                ready()
                Line(port, self._listening).run()
            finally:
                self.remove()
                os.ftruncate(self.held, 0)  # our number may soon be another process's
        else:
            ready()

    @staticmethod
    def settle() -> None:
        """Leave the session, the terminal and the directory of whoever started this."""
        _settle()

    def lock(self) -> bool:
        """Hold the lock while we live. False: a line of this very port holds it."""
        own = stamp(self.port)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.held = os.open(self.place + LOCK, flags, 0o600)
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if os.pread(self.held, 256, 0).decode().partition(" ")[2] == own:
                    return False
                if time.monotonic() > until:
                    raise LineError("another line to this agent does not end") from None
                time.sleep(_PAUSE)
            else:
                os.ftruncate(self.held, 0)
                os.pwrite(self.held, f"{os.getpid()} {own}".encode(), 0)
                return True

    def connected(self) -> _socket.socket:
        """Return a socket that is connected to QEMU's."""
        port = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        _in_its_directory(self.port, port.connect)
        return port

    def _listening(self) -> _socket.socket:
        self.remove()
        door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        _in_its_directory(self.place, door.bind)
        door.listen(_BACKLOG)
        door.settimeout(0)
        return door

    def remove(self) -> None:
        """Remove what we have made at our place, if there is anything."""
        try:
            os.unlink(self.place)
        except FileNotFoundError:
            return


def stamp(port: str) -> str:
    """Return which socket of which QEMU lies at `port`; `OSError` if there is none."""
    found = os.stat(port)
    return f"{found.st_ino} {found.st_mtime_ns}"


def _in_its_directory(path: str, act: Callable[[str], None]) -> None:
    """Call `act` with the name of `path` where that is all it takes: a path may be longer than a socket's name."""
    directory, name = os.path.split(path)
    os.chdir(directory)
    try:
        act(name)
    finally:
        os.chdir("/")


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _settle() -> None:
    """Leave the session, the terminal and the directory of whoever started this."""
    os.setsid()
    os.chdir("/")
    os.umask(0o177)
    _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _signal.signal(_signal.SIGTERM, _end)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Word:
    """What is told, once, to whoever waits for the line."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def say(self, text: bytes) -> None:
        if self._pipe >= 0:
            os.write(self._pipe, text)
            os.close(self._pipe)
            self._pipe = -1


def detached(life: Life) -> int:
    """Have `life` be lived in a process of its own; return an exit status as soon as it is known."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        said = b""
        while data := os.read(reading, 4096):
            said += data
        if said == READY:
            return 0
        sys.stderr.write(said.decode("utf-8", "replace") or "the line ended at once\n")
        return 1
    word = _Word(writing)
    try:
        os.close(reading)
        life.live(lambda: word.say(READY))
    except OSError as error:
        word.say(f"{error.strerror}\n".encode())
    except LineError as error:
        word.say(f"{error}\n".encode())
    finally:
        os._exit(0)


def main() -> int:
    """Start the line between the port and the agent's socket that are the arguments; return an exit status."""
    return detached(Life(*sys.argv[1:3]))
