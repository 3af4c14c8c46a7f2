"""The relay between this process's standard streams and a process inside: terminal, pipes, signals, exit code."""

import contextlib
import errno
import os
import selectors
import signal
import termios
import threading
import tty
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from devbox.errors import DevboxError
from devbox.runtimes.base import Session

PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PATIENCE: Final = 3  # so many of one signal, and nobody waits for the process inside any more
_CHUNK: Final = 64 * 1024
_ROWS, _COLUMNS = 24, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """File descriptors of this process."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2

    @property
    def terminal(self) -> bool:
        """Whether a person sits at both ends."""
        return _isatty(self.stdin) and _isatty(self.stdout)

    def size(self) -> tuple[int, int]:
        """Return rows and columns of the terminal."""
        try:
            columns, rows = os.get_terminal_size(self.stdout)
        except OSError:
            return _ROWS, _COLUMNS
        return rows or _ROWS, columns or _COLUMNS


def _isatty(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def attach(start: Callable[[], Session], *, streams: Streams, terminal: bool) -> int:
    """Start a process inside and be it until it ends; return its exit code.

    Output is passed on as it comes and held nowhere; signals go to the process and its children. The terminal
    is as it was before, whatever happens. A reader of our output that has gone ends the process by SIGPIPE (141).
    """
    # Raw before anything starts: a key that is typed early is for the process inside.
    with _Wake() as wake, _raw(streams.stdin) if terminal else contextlib.nullcontext():
        session = start()
        feeder = _Feeder(session, streams.stdin)
        try:
            feeder.start()
            return _Relay(session, streams=streams, wake=wake, terminal=terminal).run()
        finally:
            feeder.stop()
            session.close()
            feeder.join()


class _GivenUpError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Relay:
    """One run of `attach`, in the main thread; only stdin is read by another."""

    def __init__(self, session: Session, *, streams: Streams, wake: "_Wake", terminal: bool) -> None:
        self._session = session
        self._streams = streams
        self._wake = wake
        self._terminal = terminal
        self._sent: Counter[int] = Counter()

    def run(self) -> int:
        try:
            self._pump()
            return self._exit_code()
        except _GivenUpError as end:
            return end.status

    def _pump(self) -> None:
        """Pass output on until there is no more."""
        first = True
        with selectors.DefaultSelector() as selector:
            selector.register(self._session.fileno(), selectors.EVENT_READ)
            selector.register(self._wake.fileno(), selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                self._pass_signals()
                if ready == {self._wake.fileno()}:
                    continue
                frame = self._session.receive()
                if frame is None:
                    return
                if first and self._terminal:  # an engine may have lost the size that it was told at the start
                    self._session.resize(*self._streams.size())
                first = False
                self._write(*frame)

    def _write(self, stream: int, data: bytes) -> None:
        descriptor = self._streams.stdout if stream == 1 else self._streams.stderr
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF):
                self._session.signal(signal.SIGPIPE)
                raise DevboxError(
                    f"cannot write the command's output: {(error.strerror or str(error)).lower()}",
                    hint="look at where the output goes to",
                ) from error
            number = signal.SIGHUP if error.errno == errno.EIO else signal.SIGPIPE
            self._session.signal(number)
            raise _GivenUpError(128 + number) from None

    def _exit_code(self) -> int:
        """Wait for the exit code; a process that has closed its output can still be signalled."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            waiting = pool.submit(self._session.exit_code)
            waiting.add_done_callback(lambda _: self._wake.poke())
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake.fileno(), selectors.EVENT_READ)
                while not waiting.done():
                    selector.select()
                    self._pass_signals()
            return waiting.result()

    def _pass_signals(self) -> None:
        for number in self._wake.taken():
            if number == signal.SIGWINCH:
                if self._terminal:
                    self._session.resize(*self._streams.size())
                continue
            self._sent[number] += 1
            if self._sent[number] >= PATIENCE:
                raise _GivenUpError(128 + number)
            self._session.signal(number)


class _Wake:
    """Signals of this process, made into something to wait for; in a thread other than the main one there are none."""

    def __init__(self) -> None:
        self._pending: list[int] = []
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._before: dict[int, object] = {}
        self._wakeup = -1

    def __enter__(self) -> "_Wake":
        if threading.current_thread() is threading.main_thread():
            for number in (*PASSED_ON, signal.SIGWINCH):
                self._before[number] = signal.signal(number, self._take)
            # A signal may be taken by the thread that reads stdin; this wakes the main one all the same.
            self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before:
            signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal returned
        os.close(self._read)
        os.close(self._write)

    def _take(self, number: int, _frame: object) -> None:
        self._pending.append(number)

    def poke(self) -> None:
        """Wake whoever waits."""
        with contextlib.suppress(OSError):  # full, so somebody is being woken, or closed
            os.write(self._write, b".")

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._read

    def taken(self) -> list[int]:
        """Return the signals that came since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, _CHUNK)
        pending, self._pending = self._pending, []  # a signal in between lands in one of the two
        return pending


class _Feeder:
    """Sends stdin to the process, in a thread: a process that does not read must not hold up its own output."""

    def __init__(self, session: Session, descriptor: int) -> None:
        self._session = session
        self._descriptor = descriptor
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="stdin", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; whoever is in the middle of sending is freed by closing the session."""
        os.close(self._stop)

    def join(self) -> None:
        """Wait for the thread."""
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._stopped)

    def _run(self) -> None:
        with contextlib.suppress(DevboxError, OSError, ValueError):  # the receiving side reports what is broken
            while data := self._read():
                self._session.send(data)
            self._session.close_stdin()

    def _read(self) -> bytes:
        with selectors.SelectSelector() as selector:  # epoll refuses plain files
            selector.register(self._stopped, selectors.EVENT_READ)
            try:
                selector.register(self._descriptor, selectors.EVENT_READ)
                ready = {key.fd for key, _ in selector.select()}
            except (OSError, ValueError):  # stdin is closed
                return b""
        if self._stopped in ready:
            raise ValueError("stopped")
        try:
            return os.read(self._descriptor, _CHUNK)
        except OSError:  # a terminal that has gone
            return b""


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """Hand the terminal's keys through untouched, and give the terminal back as it was."""
    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:  # it has gone already, which the first output will tell
        yield
        return
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        yield
    finally:
        with contextlib.suppress(termios.error):  # it has gone
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
