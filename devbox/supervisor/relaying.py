"""The way to the agent: a socket on this host, or one that a program of devbox's own leads on through the engine.

The Supervisor has no engine, since its SDK is larger than all else here together.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.supervisor.daemon import StartError
from devbox.supervisor.deeds import devbox_argv
from devbox.supervisor.log import Log
from devbox.supervisor.probe import alive

VERB: Final = "agent-relay"  # hidden
_PATIENCE: Final = 25.0  # seconds for it to be there
_PAUSE: Final = 0.05
_AGAIN: Final = 1.0  # seconds before one that has ended is started again


class Here:
    """A socket on this host."""

    def __init__(self, path: str) -> None:
        self._path = path

    def open(self) -> str:
        """Return its path."""
        return self._path

    def close(self) -> None:
        """There is nothing to give back."""


class Relay:
    """A socket of ours, and the program behind it, which is started again whenever it ends before `close`."""

    def __init__(self, path_hash: str, place: str, log: Log) -> None:
        self._path = paths.relay_socket(path_hash)
        self._output = Path(paths.supervisor_log(path_hash))
        self._machine, _, directory = place.rpartition(":/")
        self._directory = f"/{directory}" if self._machine else place
        self._log = log
        self._pid = 0
        self._closed = threading.Event()

    def open(self) -> str:
        """Start it and return the path; `StartError` if it is not there in time.

        To be called by the one Supervisor that holds the Workspace's lock.
        """
        # That of a Supervisor that was killed listens for up to a second more, and hangs up on whoever came to it.
        with contextlib.suppress(FileNotFoundError):
            Path(self._path).unlink()
        threading.Thread(target=self._keep, daemon=True).start()
        end = time.monotonic() + _PATIENCE
        while not alive(self._path):
            if time.monotonic() > end:
                self.close()
                raise StartError("the agent cannot be reached through its engine; devbox logs --supervisor")
            time.sleep(_PAUSE)
        return self._path

    def close(self) -> None:
        """End it."""
        self._closed.set()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def _keep(self) -> None:
        which = ("-m", self._machine) if self._machine else ()
        argv = devbox_argv("-C", self._directory, VERB, *which, "--", self._path, str(os.getpid()))
        while not self._closed.is_set():
            self._pid = HostProcesses(SilentReporter()).start(argv, log=self._output)
            os.waitpid(self._pid, 0)
            self._pid = 0
            if not self._closed.wait(_AGAIN):
                self._log.say("the way through the engine has ended, and is opened again")
