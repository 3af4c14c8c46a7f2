"""How the Supervisor becomes a process of its own: no terminal, no parent, one per Environment."""

import fcntl
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Final

from devbox import paths

READY: Final = b"ready"
_PATIENCE: Final = 3.0  # seconds for the Supervisor before to be gone
_PAUSE: Final = 0.02

Work = Callable[[Callable[[], None]], None]  # is given what to call when it is ready


class StartError(Exception):
    """The Supervisor cannot start; the text is for the one who asked for it."""


def detached(path_hash: str, work: Work) -> int:
    """Do `work` in a process of its own; return an exit status once that is ready (0), or has failed (1, on stderr).

    The caller must be a process without threads that ends then; the new one is left to the system's first process.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with open(reading, "rb") as pipe:  # noqa: PTH123 (a descriptor)
            said = pipe.read()
        if said == READY:
            return 0
        sys.stderr.write(said.decode("utf-8", "replace") or "the supervisor ended at once\n")
        return 1
    status = 1
    try:
        os.close(reading)
        status = _alone(path_hash, work, writing)
    finally:
        os._exit(status)


def _alone(path_hash: str, work: Work, pipe: int) -> int:
    told = False

    def tell(text: bytes) -> None:
        nonlocal told
        if not told:
            told = True
            os.write(pipe, text)
            os.close(pipe)

    try:
        _settle()
        lock = _lock(path_hash)
        work(lambda: tell(READY))
        os.close(lock)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is in the log, and told to whoever waits)
        traceback.print_exc()
        tell(str(error).encode("utf-8", "replace") + b"\n")
        return 1
    return 0


def _settle() -> None:
    """Leave the session, the terminal and the directory of whoever started this."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _lock(path_hash: str) -> int:
    """Return the lock that a Supervisor of this Workspace holds while it lives."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(paths.supervisor_lock(path_hash), flags, 0o600)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StartError("another supervisor of this environment does not end") from None
            time.sleep(_PAUSE)
        else:
            return descriptor
