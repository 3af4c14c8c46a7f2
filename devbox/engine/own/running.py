"""The program of one step, as a container is: attached to before it starts, waited for, ended."""

from pathlib import Path

from devbox.engine.base import ContainerRequest
from devbox.engine.own import rooms
from devbox.process import Piped

_KILLED = 137


class Running:
    """What `request` asks for in the root file system at `root` in the store. It is its own `Stream`."""

    def __init__(self, store: Path, request: ContainerRequest, root: str) -> None:
        self._store = store
        self._request = request
        self._root = root
        self._program: Piped | None = None
        self._code: int | None = None

    @property
    def status(self) -> str:
        """The engine's word for how it is."""
        if self._program is None:
            return "created"
        return "running" if self._code is None else "exited"

    @property
    def exit_code(self) -> int:
        """Its exit code, 0 as long as it has none."""
        return self._code or 0

    def start(self) -> None:
        """Start it; no-op if it was."""
        if self._program is not None:
            return
        one = self._request
        room = rooms.Room(
            root=self._root,
            argv=(*one.entrypoint, *one.command),
            env=one.env,
            user=one.user,
            workdir=one.workdir or "/",
            hostname=one.hostname or "",
            network=one.network != "none",
            mounts=one.mounts,
            capabilities=one.capabilities,
        )
        self._program = rooms.enter(self._store, room, stdin=one.stdin)

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        if self._code is None and self._program is not None:
            self._code = self._program.wait()
        return self._code or 0

    def end(self) -> None:
        """End it, if it runs."""
        if self._program is not None and self._code is None:
            self._program.end()
            self._code = _KILLED

    def fileno(self) -> int:
        """The descriptor to wait on for what it prints."""
        return self._of_program().fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next `(1 stdout | 2 stderr, bytes)`, blocking; None at the end."""
        return self._of_program().receive()

    def send(self, data: bytes) -> None:
        """Send all of `data` to its stdin; a program that has gone makes it a no-op."""
        self._of_program().send(data)

    def close_stdin(self) -> None:
        """Let it read end-of-file."""
        self._of_program().close_stdin()

    def close(self) -> None:
        """Leave it; it goes on."""

    def _of_program(self) -> Piped:
        assert self._program is not None, "it was started"
        return self._program
