"""The command's end of the control socket: find the Supervisor of a Workspace, start one, end it."""

import contextlib
import hashlib
import importlib.util
import os
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from devbox import paths
from devbox.errors import SupervisorError, SyncError
from devbox.process import Processes
from devbox.supervisor.order import SyncOrder, order_document
from devbox.supervisor.probe import alive, connected
from devbox.supervisor.protocol import (
    ANSWER_MAX,
    LINE_MAX,
    VERSION,
    Answer,
    ControlError,
    Forward,
    Wanted,
    answer,
    line,
    parse,
)

PROGRAM: Final = Path(__file__).with_name("__main__.py")
_PATIENCE: Final = 5.0  # seconds for an answer, and for the end
_STARTING: Final = 30.0
_HINT: Final = "look at: devbox logs --supervisor"


class Supervisor(Protocol):
    """A Supervisor that runs. Each method raises `SupervisorError` if it has gone meanwhile."""

    @property
    def identity(self) -> str:
        """The identity of the Environment that it serves."""

    @property
    def pid(self) -> int:
        """Its process."""

    def ports(self) -> tuple[Forward, ...]:
        """Return what it relays, by name."""

    def declare(self, ports: Sequence[Wanted]) -> Answer:
        """Let the declared ports be these. Without any port left, and nothing to sync, it ends."""

    def forward(self, port: Wanted) -> Answer:
        """Relay one more; nothing changes if one of its name is relayed."""

    def remove(self, name: str) -> Answer:
        """Relay this one no more. Without any port left, and nothing to sync, it ends."""

    def sync(self, order: SyncOrder | None) -> bool:
        """Let the SyncSession be this one, or none; return whether that is new."""

    def ask_sync(self, request: str, **values: object) -> dict[str, Any]:
        """Ask something of the SyncSession: "status", "flush" and so on, see `devbox.supervisor.syncing`.

        `active` in the answer: whether there is one. It may take as long as what is asked for.
        """


class Supervisors(Protocol):
    """The Supervisors of this user's Workspaces on this host."""

    def alive(self, path_hash: str) -> bool:
        """Whether there is one, of whatever devbox and in whatever condition."""

    def find(self, path_hash: str) -> Supervisor | None:
        """Return the one there is; None if there is none of this very devbox that answers. Changes nothing."""

    def start(self, path_hash: str, identity: str, *, relayed: str = "") -> Supervisor:
        """Return one that serves the Environment `identity`, started if need be; any other one is ended before.

        `relayed`: if its agent is reached through the engine alone, the project's directory; for one of several
        machines with its name and a colon before it.

        To be called under the Workspace's lock. Raises `SupervisorError` if none can be had.
        """

    def end(self, path_hash: str) -> bool:
        """End it, and return when it is gone with all its ports; False if there was none."""


@cache
def build() -> str:
    """Return 16 hex digits of what a Supervisor started now is made of."""
    package = PROGRAM.parent.parent
    rooms = [sorted((package / room).rglob("*.py")) for room in ("supervisor", "agent", "sync")]
    files = [*(file for room in rooms for file in room), *(package / f"{name}.py" for name in ("paths", "confined"))]
    digest = hashlib.sha256(sys.version.encode())
    for file in filter(Path.is_file, files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class LocalSupervisors:
    """The real ones: processes of this user, found by their control sockets."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def alive(self, path_hash: str) -> bool:
        """Whether there is one; see `Supervisors.alive`."""
        return alive(paths.supervisor_socket(path_hash))

    def find(self, path_hash: str) -> Supervisor | None:
        """Return the one there is; see `Supervisors.find`."""
        try:
            return RunningSupervisor(path_hash)
        except (OSError, ControlError):
            return None

    def start(self, path_hash: str, identity: str, *, relayed: str = "") -> Supervisor:
        """Return one that serves `identity`; see `Supervisors.start`."""
        found = self.find(path_hash)
        if found is not None and found.identity == identity:
            return found
        self.end(path_hash)
        argv = [sys.executable, "-I", "-S", str(PROGRAM), path_hash, identity, build(), _modules(), relayed]
        done = self._processes.run(argv, timeout=_STARTING, check=False)
        found = self.find(path_hash) if done.status == 0 else None
        if found is None:
            raise SupervisorError("the ports cannot be relayed", detail=done.stderr.strip() or None, hint=_HINT)
        return found

    def end(self, path_hash: str) -> bool:
        """End it; see `Supervisors.end`."""
        try:
            connection = _connection(path_hash)
        except OSError:
            return False
        with connection:
            try:
                connection.sendall(line({"op": "quit"}))
                while connection.recv(LINE_MAX):
                    pass
            except TimeoutError:
                _kill(connection)
            except OSError:
                pass  # it has ended
        return True


class RunningSupervisor:
    """One that has said hello; `OSError` or `ControlError` if it is not of this devbox."""

    def __init__(self, path_hash: str) -> None:
        self._hash = path_hash
        (hello,) = self._talk()
        self._identity, self._pid = hello.get("identity"), hello.get("pid")
        if hello.get("version") != VERSION or hello.get("build") != build():
            raise ControlError("a supervisor of another devbox")

    @property
    def identity(self) -> str:
        """The identity of the Environment that it serves."""
        return str(self._identity)

    @property
    def pid(self) -> int:
        """Its process."""
        return int(self._pid or 0)

    def ports(self) -> tuple[Forward, ...]:
        """Return what it relays; see `Supervisor.ports`."""
        return self._ask({"op": "ports"}).ports

    def declare(self, ports: Sequence[Wanted]) -> Answer:
        """Let the declared ports be these; see `Supervisor.declare`."""
        return self._ask({"op": "declare", "ports": [asdict(one) for one in ports]})

    def forward(self, port: Wanted) -> Answer:
        """Relay one more; see `Supervisor.forward`."""
        return self._ask({"op": "forward", "port": asdict(port)})

    def remove(self, name: str) -> Answer:
        """Relay this one no more; see `Supervisor.remove`."""
        return self._ask({"op": "remove", "name": name})

    def sync(self, order: SyncOrder | None) -> bool:
        """Let the SyncSession be this one; see `Supervisor.sync`."""
        found = self._answered({"op": "sync.declare", "order": None if order is None else order_document(order)})
        return bool(found.get("changed"))

    def ask_sync(self, request: str, **values: object) -> dict[str, Any]:
        """Ask something of the SyncSession; see `Supervisor.ask_sync`."""
        return self._answered({"op": f"sync.{request}", **values})

    def _answered(self, request: Mapping[str, object]) -> dict[str, Any]:
        try:
            return self._talk(request, patience=None)[1]
        except OSError as error:
            raise SupervisorError("the supervisor has gone meanwhile", detail=str(error), hint="devbox up") from error
        except ControlError as error:
            raise SyncError(f"the files cannot be synced: {error}", hint=_HINT) from error

    def _ask(self, request: Mapping[str, object]) -> Answer:
        try:
            _, message = self._talk(request)
            return answer(message)
        except (OSError, ControlError) as error:
            raise SupervisorError("the supervisor has gone meanwhile", detail=str(error), hint="devbox up") from error

    def _talk(self, *requests: Mapping[str, object], patience: float | None = _PATIENCE) -> list[dict[str, Any]]:
        hello = {"op": "hello", "version": VERSION, "build": build()}
        answers = []
        with _connection(self._hash) as connection, connection.makefile("rb") as stream:
            for request in (hello, *requests):
                connection.sendall(line(request))
                message = parse(stream.readline(ANSWER_MAX))
                if message.get("ok") is not True:
                    raise ControlError(str(message.get("error")))
                answers.append(message)
                connection.settimeout(patience)
        return answers


@cache
def _modules() -> str:
    """Return where this process finds what a Supervisor imports of others; it finds nothing itself, which is quick."""
    found = (importlib.util.find_spec(name) for name in ("pathspec", "watchdog"))
    places = [str(Path(spec.origin).parents[1]) for spec in found if spec is not None and spec.origin]
    return os.pathsep.join(dict.fromkeys(places))


def _connection(path_hash: str) -> socket.socket:
    raw = connected(paths.supervisor_socket(path_hash), blocking=False)
    connection = socket.socket(fileno=raw.detach())
    connection.settimeout(_PATIENCE)
    return connection


def _kill(connection: socket.socket) -> None:
    """End a Supervisor that does not answer: the process at the other end, which is still there."""
    if not hasattr(socket, "SO_PEERCRED"):
        raise SupervisorError("the supervisor does not answer", hint="end the process that runs devbox/supervisor")
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        while connection.recv(LINE_MAX):
            pass
