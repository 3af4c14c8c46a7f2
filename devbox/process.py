"""The only door to subprocess: list argv, no shell, explicit stdin, timeout, a log line that can be pasted."""

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from devbox.errors import CommandFailedError
from devbox.faults import fault
from devbox.reporter import Reporter

_PIECE: Final = 65536
_GRACE: Final = 5.0  # seconds for a program to clean up when it is asked to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a program ended. `status` is its exit code, or 128+n when signal n ended it."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom root lets a program be: a user, its group and further ones, by number; nobody needs to have named them."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Processes(Protocol):
    """Runs programs of the host; a test's fake records them instead."""

    def which(self, program: str) -> str | None:
        """Return the full path of `program` on PATH, or None."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,
        check: bool = True,
        stdin: str | None = None,
        inherit: Sequence[int] = (),
    ) -> Completed:
        """Run `argv` to its end and return what it said.

        `env` is added to this process's own. `timeout` is in seconds. With `check`, another exit code than 0
        raises `CommandFailedError` with the program's own words; a program that is missing or does not end in
        time always does. `inherit`: descriptors that it has under the same numbers. It has no terminal; when it does
        not end in time, or this is interrupted, it is ended with all that it started.
        """

    def lines(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Iterator[str]:
        """Run `argv` and yield each line that it prints (stdout and stderr mixed, line ends off).

        After the last line, another exit code than 0 raises `CommandFailedError`. Leaving the iteration early
        ends the program.
        """

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path, inherit: Sequence[int] = ()
    ) -> int:
        """Start `argv` in a session of its own that outlives this process, its output to `log`; return its pid.

        `inherit`: descriptors that it has under the same numbers.
        """

    def start_into(
        self,
        reader: Sequence[str],
        argv: Sequence[str],
        *,
        cwd: Path,
        inherit: Sequence[int] = (),
        account: Account | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> int:
        """Start `argv` in `cwd`, and `reader`, whose stdin is all that it prints; return the pid of `argv`.

        Both have sessions of their own and outlive this process; what they make is for this user alone. `inherit`:
        descriptors that `argv` has under the same numbers. `account`: whom `argv` runs as, if not this user; it need
        not be able to reach `cwd`. `stdin`: a descriptor that it reads, by default nothing.
        """


class HostProcesses:
    """Processes on this machine."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def which(self, program: str) -> str | None:
        """Return the full path of `program` on PATH, or None."""
        return shutil.which(program)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,
        check: bool = True,
        stdin: str | None = None,
        inherit: Sequence[int] = (),
    ) -> Completed:
        """Run `argv` to its end and return what it said; see `Processes.run`."""
        self._log(argv, env)
        fault(f"run {argv[0]}")
        with _session(argv, env=env, cwd=cwd, inherit=inherit) as child:
            try:
                said, complained = child.communicate((stdin or "").encode(), timeout)
            except subprocess.TimeoutExpired as error:
                why = f"{argv[0]} did not end within {timeout:g} s"
                raise CommandFailedError(why, detail=shlex.join(argv)) from error
        fault(f"ran {argv[0]}")
        completed = Completed(
            status=_status(child.returncode),
            stdout=said.decode("utf-8", "replace"),
            stderr=complained.decode("utf-8", "replace"),
        )
        if check and completed.status != 0:
            raise _failed(argv, completed.status, completed.stderr or completed.stdout)
        return completed

    def lines(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Iterator[str]:
        """Run `argv` and yield each line that it prints; see `Processes.lines`."""
        self._log(argv, env)
        fault(f"run {argv[0]}")
        tail: list[str] = []
        with _child(argv, env=env, cwd=cwd) as child:
            for raw in child.output:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                tail = [*tail[-29:], line]
                yield line
            status = _status(child.process.wait())
        fault(f"ran {argv[0]}")
        if status != 0:
            raise _failed(argv, status, "\n".join(tail))

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path, inherit: Sequence[int] = ()
    ) -> int:
        """Start `argv` in a session of its own; see `Processes.start`."""
        self._log(argv, env)
        fault(f"start {argv[0]}")
        with log.open("ab") as output:
            pid = _alone(argv, stdin=subprocess.DEVNULL, output=output.fileno(), env=env, inherit=inherit)
        fault(f"started {argv[0]}")
        return pid

    def start_into(
        self,
        reader: Sequence[str],
        argv: Sequence[str],
        *,
        cwd: Path,
        inherit: Sequence[int] = (),
        account: Account | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> int:
        """Start `argv` and what reads its output; see `Processes.start_into`."""
        self._log(argv, None)
        fault(f"start {argv[0]}")
        reading, writing = os.pipe()
        try:
            _alone(reader, stdin=reading, output=subprocess.DEVNULL, cwd=cwd, umask=0o077)
            pid = _alone(argv, stdin=stdin, output=writing, cwd=cwd, umask=0o077, inherit=inherit, account=account)
        finally:
            os.close(reading)
            os.close(writing)
        fault(f"started {argv[0]}")
        return pid

    def _log(self, argv: Sequence[str], env: Mapping[str, str] | None) -> None:
        words = [f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()]
        self._reporter.debug(" ".join([*words, shlex.join(argv)]))


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    output: IO[bytes]


class Helper:
    """A program beside this one, in a session of its own, that is spoken to over its stdin (a socket).

    `OSError` if it cannot be started. It ends by itself when that is closed, and by `end`.
    """

    def __init__(self, argv: Sequence[str], *, stdin: int) -> None:
        self._child = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def end(self) -> None:
        """End it, if it has not ended, and leave nothing of it."""
        self._child.kill()
        self._child.wait()


class Piped:
    """A program in a session of its own, beside this one, with a pipe to each of its three streams.

    One thread may receive while another sends. `CommandFailedError` if it is missing.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path, stdin: bool) -> None:
        streams = (subprocess.PIPE if stdin else subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
        self._child = _started(argv, streams, env=None, cwd=cwd, alone=True)
        self._poll = select.poll()
        self._numbers = {}
        for number, stream in ((1, self._child.stdout), (2, self._child.stderr)):
            assert stream is not None
            self._numbers[stream.fileno()] = number
            self._poll.register(stream, select.POLLIN)

    def fileno(self) -> int:
        """The descriptor of what it prints."""
        return next(iter(self._numbers), -1)

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end of both."""
        while self._numbers:
            for descriptor, _ in self._poll.poll():
                if data := os.read(descriptor, _PIECE):
                    return self._numbers[descriptor], data
                self._poll.unregister(descriptor)
                del self._numbers[descriptor]
        return None

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin; a no-op when it has gone."""
        if self._child.stdin is not None and not self._child.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.write(data)
                self._child.stdin.flush()

    def close_stdin(self) -> None:
        """Let it read end-of-file."""
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()

    def wait(self) -> int:
        """Wait for its end and return its exit code, 128+n when signal n ended it."""
        self.close_stdin()
        code = _status(self._child.wait())
        self._close()
        return code

    def end(self) -> None:
        """End it with all that it started, if it has not ended, and leave nothing of it."""
        if self._child.poll() is None:
            _end_all(self._child)
        self.close_stdin()
        self._child.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._child.stdout, self._child.stderr):
            if stream is not None:
                stream.close()
        self._numbers = {}


def _alone(
    argv: Sequence[str],
    *,
    stdin: int,
    output: int,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    umask: int = -1,  # this process's own
    inherit: Sequence[int] = (),
    account: Account | None = None,
) -> int:
    streams = (stdin, output, subprocess.STDOUT)
    child = _started(argv, streams, env=env, cwd=cwd, alone=True, umask=umask, inherit=inherit, account=account)
    child.returncode = 0  # it outlives this process on purpose, of which Popen would warn
    return child.pid


@contextmanager
def _session(
    argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path | None, inherit: Sequence[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """Give a program in a session of its own, of which nothing is left if the block fails."""
    pipes = (subprocess.PIPE, subprocess.PIPE, subprocess.PIPE)
    with _started(argv, pipes, env=env, cwd=cwd, alone=True, inherit=inherit) as child:
        try:
            yield child
        except BaseException:
            _end_all(child)
            raise


def _end_all(child: subprocess.Popen[bytes]) -> None:
    """End a program and what it started: asked first, so that it can clean up, then made to."""
    try:
        _signal_all(child, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
    finally:  # a second interruption does not wait
        _signal_all(child, signal.SIGKILL)


def _signal_all(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # All of it may be gone; of what waits to be reaped, macOS says that one may not.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


@contextmanager
def _child(argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path | None) -> Iterator[_Child]:
    process = _started(argv, (subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT), env=env, cwd=cwd)
    assert process.stdout is not None
    try:
        yield _Child(process, process.stdout)
    finally:
        process.stdout.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def _started(
    argv: Sequence[str],
    streams: tuple[int, int, int],  # in, out, error
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    alone: bool = False,  # in a session of its own
    umask: int = -1,  # this process's own
    inherit: Sequence[int] = (),
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=_merged(env),
            cwd=cwd,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            start_new_session=alone,
            umask=umask,
            pass_fds=inherit,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=account.groups if account else None,
        )
    except FileNotFoundError as error:
        raise _missing(argv) from error


def _merged(env: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(env or {})}


def _status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


def _missing(argv: Sequence[str]) -> CommandFailedError:
    return CommandFailedError(f"{argv[0]} is not installed", hint=f"install {argv[0]}, or run: devbox doctor")


def _failed(argv: Sequence[str], status: int, words: str) -> CommandFailedError:
    tail = "\n".join(words.rstrip().splitlines()[-30:])
    return CommandFailedError(f"{argv[0]} failed with exit code {status}: {shlex.join(argv)}", detail=tail or None)
