"""The Supervisor's end of the control socket."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

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

PATIENCE: Final = 10.0  # seconds that a client may take for a line


class Control:
    """Answers clients. `quit` is called when one asks for the end, and when there is nothing left to relay."""

    def __init__(self, service: Service, *, build: str, identity: str, quit: Callable[[str], None]) -> None:
        self._service = service
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
                message = parse(data)
                if message.get("op") == "quit":
                    self._parting.append(writer)  # ends with this process, and the client waits for that
                    self._quit("asked to end")
                    return
                if self.ending:
                    break
                answer, known = self._answer(message, known=known)
                writer.write(line(answer))
                await writer.drain()
        except (OSError, ValueError, TimeoutError, ControlError):
            pass  # it is gone, or it is none of ours
        writer.close()

    def _answer(self, message: dict[str, Any], *, known: bool) -> tuple[dict[str, object], bool]:
        try:
            if message.get("op") == "hello":
                return self._hello(), message.get("version") == VERSION and message.get("build") == self._build
            if not known:
                return {"ok": False, "error": "say hello first, from the same devbox"}, False
            return self._done(message), True
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
        if not answer.ports:
            self._quit("nothing to relay any more")
        return document(answer)
