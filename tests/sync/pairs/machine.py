"""devbox into a virtual machine: the agent at the other end of a serial port.

All scenarios of one process of the tests are played in one machine, each in a directory of its own.
"""

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from devbox.agent.client import AgentError, dial
from devbox.agent.session import start
from devbox.agent.wire import FLAG_STDIN, FLAG_SYNC, ExecMessage
from devbox.sync.endpoint import Endpoint
from devbox.sync.guest import GuestEndpoint
from devbox.vm import lines
from tests.support.small_machine import IDENTITY, SmallMachine, small_image, small_machine
from tests.sync.pairs.session import COMMON, SessionPair
from tests.sync.stage import Can, Scenario
from tests.sync.trees import GuestTree

_KILL = 9
_PLACE = "/home/dev"
_USER = "1000:1000"
_ROOM = "8m"  # of a small disk
_PROGRAMS = (
    *("chmod", "chown", "cp", "cut", "dirname", "find", "grep", "ln", "ls", "mkdir", "mkfifo", "mv", "readlink", "rm"),
    *("rmdir", "sed", "seq", "sha256sum", "sort", "stat", "tar", "touch", "tr", "umount", "wc", "xargs"),
)
_numbers = itertools.count(1)


class _TheMachine:
    """The one of this process: started when it is first asked for, and again if a scenario has ended it."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._found: SmallMachine | None = None

    def get(self) -> SmallMachine:
        if self._found is None or not lines.listens(self._found.agent_socket):
            self.end()
            place = Path(tempfile.mkdtemp(prefix="devbox-vm-"))
            self._stack.callback(shutil.rmtree, place)
            image = small_image(place / "image", _PROGRAMS)
            self._found = self._stack.enter_context(small_machine(place / "m", image))
        return self._found

    def end(self) -> None:
        """End it, if it was started."""
        self._found = None
        self._stack.close()


THE_MACHINE = _TheMachine()


class MachinePair(SessionPair):
    """The guest's end is an ordinary user's directory in a machine; all that is used of the way there is `dial`."""

    name: ClassVar[str] = "vm"
    can: ClassVar[frozenset[Can]] = COMMON | {Can.PAUSE, Can.SMALL, Can.STOP, Can.USERS}
    marks = (pytest.mark.vm, pytest.mark.network, pytest.mark.timeout(600))

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        super().__init__(scenario, directory)
        self._machine = THE_MACHINE.get()
        self._root = f"{_PLACE}/{next(_numbers)}"
        self._is_small = Can.SMALL in scenario.needs
        self._ends: list[Callable[[], object]] = []
        self.guest = GuestTree(self._root, lambda script: self.shell(script, _USER))
        self._make()

    def open_guest(self) -> tuple[Endpoint, Callable[[], object]]:
        message = ExecMessage((self._root,), user=_USER, flags=FLAG_SYNC | FLAG_STDIN)
        try:
            stream = start(dial(str(self._machine.agent_socket)), IDENTITY, message)
        except (AgentError, OSError) as error:
            raise ConnectionError(str(error)) from error
        self._ends.append(lambda: stream.signal(_KILL))
        return GuestEndpoint(stream), self._ends[-1]

    def shell(self, script: str, user: str = "0:0") -> tuple[int, bytes, bytes]:
        """Run a script inside; return its exit code and what it said."""
        message = ExecMessage(("sh", "-c", script), user=user, cwd="/", flags=0)
        session = start(dial(str(self._machine.agent_socket)), IDENTITY, message)
        with contextlib.closing(session):
            found: dict[int, list[bytes]] = {1: [], 2: []}
            while (frame := session.receive()) is not None:
                found[frame[0]].append(frame[1])
            return session.exit_code(), b"".join(found[1]), b"".join(found[2])

    def as_root(self, script: str) -> None:
        """Run a script in the guest's directory as root."""
        code, _, said = self.shell(f"cd {self._root} && {script}")
        assert code == 0, said

    def recreate(self, script: str) -> None:
        self.gate.clear()
        with contextlib.suppress(AgentError, OSError):  # it may have ended before
            self._ends.pop()()
        self._remove()
        self._make()
        self.guest.sh(script)
        self.gate.set()

    def freeze(self) -> None:
        with self._machine.machine.ask() as asked:
            asked.execute("stop")

    def thaw(self) -> None:
        with self._machine.machine.ask() as asked:
            asked.execute("cont")

    def restart(self) -> None:
        self.as_root("sync")
        self._machine.end()
        self._machine.start()

    def alone(self) -> dict[str, str]:
        socket = str(self._machine.agent_socket)
        return {"socket": socket, "identity": IDENTITY, "root": self._root, "user": _USER}

    def close(self) -> None:
        super().close()
        self._remove()

    def _make(self) -> None:
        small = f"mount -t tmpfs -o size={_ROOM} none {self._root} &&" if self._is_small else ""
        self._as_it_must(f"mkdir -p {self._root} && {small} chown {_USER} {self._root}")

    def _remove(self) -> None:
        self._as_it_must(f"umount {self._root} 2> /dev/null; rm -rf {self._root}")

    def _as_it_must(self, script: str) -> None:
        code, _, said = self.shell(script)
        assert code == 0, said
