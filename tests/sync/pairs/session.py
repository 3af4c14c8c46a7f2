"""A SyncSession of devbox over two ends, each of which is looked at through a Tap."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from devbox.errors import SyncError
from devbox.sync.core.entry import Side
from devbox.sync.core.modes import Mode
from devbox.sync.endpoint import Endpoint
from devbox.sync.host import HostEndpoint
from devbox.sync.report import Report, Settings
from devbox.sync.session import SyncSession
from tests.sync.lies import EventLie, Lie
from tests.sync.stage import Can, Scenario
from tests.sync.tap import Tap, Tapped
from tests.sync.trees import HostTree, Tree

PATIENCE = 240.0
_LONG_PATIENCE = 1800.0  # for what is nightly since it is large: an emulated machine takes 2 MiB in a second
_SHORT = 0.3  # for a flush that need not end
COMMON = frozenset({Can.MODES, Can.TELL, Can.RESOLVE, Can.CUT, Can.TAP, Can.BRAKE, Can.TRASH, Can.LOCK})


class SessionPair:
    """A pair in the hands of devbox. What is at the guest's end is for those that inherit to say."""

    name: ClassVar[str] = ""
    can: ClassVar[frozenset[Can]] = COMMON
    marks: ClassVar[tuple[object, ...]] = ()
    guest: Tree

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self.directory = directory
        self.host = HostTree(directory / "host")
        self.host.path.mkdir()
        self.tap = Tap()
        self.gate = threading.Event()  # closed: the guest is not to be reached
        self.gate.set()
        self.settings = Settings(mode=Mode(scenario.mode), ignore=scenario.ignore)
        self._patience = _LONG_PATIENCE if scenario.nightly else PATIENCE
        self._report = Report(settled=False)
        self._session: SyncSession | None = None

    def open_guest(self) -> tuple[Endpoint, Callable[[], object]]:
        """Open the guest's end; return it with what kills it."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start the session."""
        self._session = self._made(self.host.path, "state")
        self._session.start()

    def end(self) -> None:
        """Stop it, in order."""
        if self._session is not None:
            self._session.stop()
            self._session = None

    def close(self) -> None:
        """Stop it, and leave nothing that has to be cleaned up."""
        self.tap.free.set()
        self.end()
        left = [link for link in _descriptors() if link.startswith(f"{self.directory}/")]
        assert not left, f"still open after the end: {left[:4]}"

    def settle(self) -> None:
        self._report = self.session.flush(timeout=self._patience)
        assert self._report.settled or self._report.halted, "it did not come to rest"

    def settle_if_it_can(self) -> None:
        """Give it a moment."""
        self._report = self.session.flush(timeout=_SHORT)

    @property
    def session(self) -> SyncSession:
        assert self._session is not None
        return self._session

    def conflicts(self) -> set[str]:
        return {one.path for one in self._report.conflicts}

    @property
    def halted(self) -> str:
        """Why it did nothing when it was to come to rest; "" if it did all."""
        return self._report.halted

    def problems(self) -> list[str]:
        """Return what does not work, each with its path, in words."""
        status = self.session.status()
        return [*(f"{one.path}: {one.text}" for one in status.troubles), *status.warnings]

    def confirm(self) -> None:
        self.session.confirm()

    def resume(self) -> None:
        """Go on, whatever it stopped for."""
        self.session.confirm()
        self.session.resume()

    def second(self, path: Path) -> bool:
        """Whether a second session on `path` is refused."""
        other = self._made(path, "other")
        try:
            other.start()
        except SyncError:
            return True
        other.stop()
        return False

    def cut_at(self, request: int) -> None:
        self.tap.cut_at(request)

    @property
    def was_cut(self) -> bool:
        return self.tap.was_cut

    def before_write(self, do: Callable[[], object]) -> None:
        self.tap.before_write = do

    def lie(self, lie: Lie | None = None, of_events: EventLie | None = None) -> None:
        """Let the guest lie so from now on, or not at all."""
        self.tap.lie, self.tap.event_lie, self.tap.lied = lie, of_events, 0

    def few_watches(self, count: int) -> None:
        self.tap.watches = count

    def held(self) -> Any:
        return self.tap.held()

    def _made(self, path: Path, state: str) -> SyncSession:
        return SyncSession(
            self.settings,
            state=str(self.directory / f"{state}.db"),
            host_root=str(path),
            connect_host=lambda: self._tapped(path),
            connect_guest=self._guest,
        )

    def _tapped(self, path: Path) -> Tapped:
        end = HostEndpoint(path)
        return Tapped(end, Side.HOST, self.tap, lambda: None)

    def _guest(self) -> Tapped:
        if not self.gate.is_set():
            raise ConnectionRefusedError("nobody is there")
        end, kill = self.open_guest()
        return Tapped(end, Side.GUEST, self.tap, kill)

    def alone(self) -> dict[str, str]:
        """Return how a process of its own reaches the guest (`tests.sync.alone`)."""
        raise NotImplementedError

    def run_and_die(self, at: int) -> bool:
        """Let a process of its own sync once, and die at this fault point; whether it did."""
        asked = {"state": str(self.directory / "state.db"), "host": str(self.host.path), **self.alone()}
        done = subprocess.run(
            [sys.executable, "-m", "tests.sync.alone", json.dumps(asked)],
            env={**os.environ, "DEVBOX_FAULT": f"{at}:kill"},
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        return done.returncode != 0


def _descriptors() -> Iterator[str]:
    """Go through what this process has open."""
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(link.readlink())
