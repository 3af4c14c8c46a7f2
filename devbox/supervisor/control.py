"""The Supervisor's end of the control socket."""

import asyncio
import functools
import os
import traceback
from collections.abc import Callable
from typing import Any, Final, TypeVar

from devbox.supervisor.probe import FLUSH, FLUSH_INWARD, FLUSH_TOLD, FLUSHED, NO_SESSION, TOLD, TOLD_END
from devbox.supervisor.protocol import (
    VERSION,
    Answer,
    ControlError,
    document,
    line,
    parse,
    wanted,
)
from devbox.supervisor.service import Service
from devbox.supervisor.syncing import SyncService

_T = TypeVar("_T")

PATIENCE: Final = 10.0  # seconds that a client may take for a line


class Control:
    """Answers clients. `quit` is called when one asks for the end, and when there is nothing left to relay."""

    def __init__(
        self, service: Service, syncing: SyncService, *, build: str, identity: str, quit: Callable[[str], None]
    ) -> None:
        self._service = service
        self._syncing = syncing
        self._build = build
        self._identity = identity
        self._quit = quit
        self._parting: list[asyncio.StreamWriter] = []
        self.ending = False  # nothing is promised to anybody any more

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it goes. One that asked for the end is let go by this process's own."""
        known = False
        try:
            while True:
                async with asyncio.timeout(PATIENCE):
                    data = await reader.readline()
                if not data:
                    break
                if data in (FLUSH, FLUSH_INWARD) or data.startswith(FLUSH_TOLD):
                    writer.write(await self._flushed(data))
                    await writer.drain()
                    continue
                message = parse(data)
                if message.get("op") == "quit":
                    self._parting.append(writer)  # ends with this process, and the client waits for that
                    self._quit("asked to end")
                    return
                if self.ending:
                    break
                answer, known = await self._answer(message, known=known)
                writer.write(line(answer))
                await writer.drain()
        except (OSError, ValueError, TimeoutError, ControlError):
            pass  # it is gone, or it is none of ours
        writer.close()

    async def _synced(self, op: str, message: dict[str, Any]) -> dict[str, object]:
        try:
            found = await _aside(functools.partial(self._syncing.answer, op, message))
        except (ControlError, asyncio.CancelledError):
            raise
        except Exception as error:  # whatever it is, it is in the log, and told to whoever waits
            traceback.print_exc()
            raise ControlError(f"{type(error).__name__}: {error}") from error
        if op == "sync.declare":
            self._end_if_idle()
        return {"ok": True, **found}

    async def _flushed(self, data: bytes) -> bytes:
        inward, told = data == FLUSH_INWARD, _told(data)
        said = self._syncing.at_rest(told) if inward or told else None
        if said is None:
            said = await _aside(functools.partial(self._syncing.flushed, inward=inward))
        return NO_SESSION if said is None else FLUSHED + said.encode() + b"\n"

    async def _answer(self, message: dict[str, Any], *, known: bool) -> tuple[dict[str, object], bool]:
        try:
            if message.get("op") == "hello":
                return self._hello(), message.get("version") == VERSION and message.get("build") == self._build
            if not known:
                return {"ok": False, "error": "say hello first, from the same devbox"}, False
            op = str(message.get("op"))
            if not op.startswith("sync."):
                return self._done(message), True
            return await self._synced(op, message), True
        except ControlError as error:
            return {"ok": False, "error": str(error)}, known

    def _hello(self) -> dict[str, object]:
        own = {"version": VERSION, "build": self._build, "identity": self._identity, "pid": os.getpid()}
        return {"ok": True, **own}

    def _done(self, message: dict[str, Any]) -> dict[str, object]:
        service = self._service
        match message.get("op"):
            case "ports":
                return document(Answer(ports=service.ports))
            case "declare":
                ports = message.get("ports")
                if not isinstance(ports, list):
                    raise ControlError("no list of ports")
                answer = service.declare([wanted(one) for one in ports])
            case "forward":
                answer = service.forward(wanted(message.get("port")))
            case "remove":
                service.remove(str(message.get("name")))
                answer = Answer(ports=service.ports)
            case other:
                raise ControlError(f"no such request: {other!r}")
        self._end_if_idle()
        return document(answer)

    def _end_if_idle(self) -> None:
        if not self._service.ports and not self._syncing.active:
            self._quit("nothing to relay any more, and nothing to sync")


def _told(data: bytes) -> bytes:
    if not data.startswith(FLUSH_TOLD):
        return b""
    told = bytes.fromhex(data[len(FLUSH_TOLD) : -len(TOLD_END)].decode())
    if len(told) != TOLD:
        raise ValueError("no number of a program and of bytes")
    return told


async def _aside(work: Callable[[], _T]) -> _T:
    """Do what waits in another thread."""
    return await asyncio.get_running_loop().run_in_executor(None, work)
