"""Programs that are timed: started as cheaply as can be, between pipes or on a terminal of their own."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Mapping
from typing import Any

_ROWS, _COLUMNS = 24, 80
_PATIENCE = 30.0  # seconds until something that does not come has failed
_PROMPT = re.compile(rb"[#$] (?:\x1b\[[?0-9;]*[a-zA-Z])*\Z")
_CHUNK = 1024 * 1024


def run(argv: list[str], environment: Mapping[str, str]) -> None:
    """Run a program with nothing to read, and nobody who reads; `RuntimeError` with its words if it fails.

    `posix_spawn` copies nothing of this process, so that its size is in no number.
    """
    with tempfile.TemporaryFile() as words:
        streams: list[Any] = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
        streams.append((os.POSIX_SPAWN_DUP2, words.fileno(), 2))
        ended = os.waitpid(os.posix_spawn(argv[0], argv, environment, file_actions=streams), 0)[1]
        status = os.waitstatus_to_exitcode(ended)
        if status != 0:
            words.seek(0)
            raise RuntimeError(f"{' '.join(argv)}: exit code {status}: {words.read().decode(errors='replace')}")


def pour(argv: list[str], environment: Mapping[str, str], *, size: int, feed: bool) -> None:
    """Run a program that writes `size` bytes into a pipe; `feed`: as many come to it, through another one."""
    source = None
    if feed:
        source = subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE)
    stdin = source.stdout if source else subprocess.DEVNULL
    with subprocess.Popen(argv, env=dict(environment), stdin=stdin, stdout=subprocess.PIPE) as program:
        if source and source.stdout:
            source.stdout.close()
        assert program.stdout is not None
        room = bytearray(_CHUNK)
        came = 0
        while count := os.readv(program.stdout.fileno(), [room]):
            came += count
    if source and source.wait() != 0:
        raise RuntimeError("the source ended early")
    if program.returncode != 0 or came != size:
        raise RuntimeError(f"{' '.join(argv)}: exit code {program.returncode}; {came} bytes came, not {size}")


class Terminal:
    """A program on a terminal of its own, as its first process; to be closed."""

    def __init__(self, argv: list[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        name = os.ttyname(theirs)
        streams = [(os.POSIX_SPAWN_OPEN, number, name, os.O_RDWR, 0) for number in (0, 1, 2)]
        # the leader of a new session gets the first terminal that it opens
        self._pid = os.posix_spawn(argv[0], argv, {**environment, "TERM": "xterm"}, file_actions=streams, setsid=True)
        os.close(theirs)
        self._argv = argv
        self._shown = b""
        self._waiting = select.poll()
        self._waiting.register(self._ours, select.POLLIN)

    def _read(self, seconds: float) -> bytes:
        if not self._waiting.poll(max(0.0, seconds) * 1000):
            raise RuntimeError(f"{' '.join(self._argv)}: does not go on after {self._shown!r}")
        return os.read(self._ours, 65536)

    def until(self, pattern: re.Pattern[bytes] = _PROMPT) -> None:
        """Wait until what was shown since the last call matches; `RuntimeError` if it does not."""
        end = time.monotonic() + _PATIENCE
        while not pattern.search(self._shown):
            self._shown += self._read(end - time.monotonic())
        self._shown = b""

    def key(self, key: bytes) -> float:
        """Press a key, and return how many seconds later it was on the screen."""
        begin = time.perf_counter()
        os.write(self._ours, key)
        shown = self._read(_PATIENCE)
        seconds = time.perf_counter() - begin
        if shown != key:
            raise RuntimeError(f"{' '.join(self._argv)}: {key!r} was shown as {shown!r}")
        return seconds

    def next_line(self) -> None:
        """End the line that was typed, and wait until that is on the screen."""
        os.write(self._ours, b"\r")
        self.until(re.compile(rb"\n\Z"))

    def leave(self, keys: bytes) -> None:
        """Type what ends the program, and wait until it has ended: a hang-up alone leaves some running inside."""
        os.write(self._ours, keys)
        with contextlib.suppress(OSError):  # the terminal's end
            while os.read(self._ours, 65536):
                continue
        self.close()

    def close(self) -> None:
        """Hang up, and wait until the program has ended; may be called again."""
        if self._ours < 0:
            return
        os.close(self._ours)
        self._ours = -1
        end = time.monotonic() + _PATIENCE
        while os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                return
            time.sleep(0.005)
