"""QEMU's control socket: a command, its answer, and nothing in between. QEMU talks to one at a time, so be short."""

import asyncio
import errno
import logging
import socket
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from qemu.qmp import ExecuteError, QMPClient, QMPError

from devbox.errors import MachineError
from devbox.values import printable
from devbox.vm.peer import process_of
from devbox.vm.sockets import connected

PATIENCE: Final = 5.0  # seconds for each answer
_Answer = TypeVar("_Answer")

logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # what goes wrong is raised; it need not be printed too


class Qmp:
    """A connection to the control socket at `path` of the machine with this UUID; a context manager.

    `MachineError` if nobody answers there in time, from each method alike, or if it is another machine's QEMU: that has
    been told nothing then.
    """

    def __init__(self, path: Path, uuid: str, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._client = QMPClient()
        self._socket = _connected(path, patience)
        self._loop = asyncio.Runner()
        try:
            self._ask(self._client.connect(self._socket))
        except BaseException:
            self._loop.close()
            self._socket.close()
            raise
        try:
            self._require(uuid)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Be closed at the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def execute(self, command: str, **arguments: object) -> object:
        """Carry out `command` and return its answer; `MachineError` with QEMU's words if it refuses."""
        try:
            return self._ask(self._client.execute(command, arguments or None))
        except ExecuteError as error:
            raise MachineError(f"QEMU does not carry out {command}", detail=str(error)) from error

    def give(self, descriptor: int, name: str) -> None:
        """Let QEMU have a duplicate of `descriptor`, known to it by `name`."""
        self._client.send_fd_scm(descriptor)
        self.execute("getfd", fdname=name)

    def version(self) -> str:
        """Return the version of this QEMU, with what its distribution added to it."""
        answer = self.execute("query-version")
        if not isinstance(answer, dict):
            return ""
        numbers = answer["qemu"]
        return f"{numbers['major']}.{numbers['minor']}.{numbers['micro']} {answer['package']}".strip()

    def close(self) -> None:
        """Leave it; QEMU goes on."""
        try:
            with suppress(MachineError):
                self._ask(self._client.disconnect())
        finally:
            self._loop.close()
            self._socket.close()

    def _require(self, uuid: str) -> None:
        answer = self.execute("query-uuid")
        found = str(answer.get("UUID", "")) if isinstance(answer, dict) else ""
        if found != uuid:
            raise MachineError(f"the QEMU that answers has the machine {printable(found)}, and not {uuid}")

    def _ask(self, question: Coroutine[None, None, _Answer]) -> _Answer:
        async def asked() -> _Answer:
            async with asyncio.timeout(self._patience):
                return await question

        try:
            return self._loop.run(asked())
        except TimeoutError as error:
            raise MachineError(f"QEMU does not answer within {self._patience:g} s") from error
        except ExecuteError:
            raise
        except (QMPError, EOFError, OSError) as error:
            raise MachineError("QEMU has hung up", detail=str(error) or None) from error


def listener(path: Path) -> int | None:
    """Return the pid of the process that listens at `path`, as the kernel knows it; None if none does."""
    try:
        with _connected(path, PATIENCE) as asked:
            return process_of(asked)
    except MachineError:
        return None


def _connected(path: Path, patience: float) -> socket.socket:
    try:
        made = connected(path, patience)
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
        raise MachineError("QEMU does not run" if gone else f"QEMU cannot be reached: {error}") from error
    made.settimeout(None)
    return made
