"""The Supervisor's connection to the agent: it lasts as long as the Environment does."""

import asyncio
from collections.abc import Callable
from typing import Final

from devbox.agent.client import AgentError, NoAgent, StartError
from devbox.agent.mux import AgentMux
from devbox.supervisor.dialler import Channel
from devbox.supervisor.log import Log

_TRIES: Final = 15  # to have a lost connection again: a restart of the container takes about a second
_PAUSE: Final = 0.2  # seconds between two


class Link:
    """One connection to the agent at `path`, if it is that of `identity`. `lost` hears when it ends."""

    def __init__(self, path: str, identity: str, log: Log) -> None:
        self._path = path
        self._identity = identity
        self._log = log
        self._mux: AgentMux | None = None
        self.lost: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Connect; `AgentError` if no agent answers there, or another one."""
        self._mux = await AgentMux.open(self._path, self._identity)

    async def connect(self, kind: int, host: str, port: int) -> Channel:
        """Return a channel to a port inside; `OSError` if nobody listens there or there is no agent."""
        if self._mux is None or self._mux.closed.is_set():
            raise ConnectionError("the agent is not there")
        try:
            return await self._mux.connect(kind, host, port)
        except StartError as error:
            raise OSError(error.errno, str(error)) from error
        except AgentError as error:
            raise ConnectionError(str(error)) from error

    async def hold(self) -> None:
        """Return when the Environment has ended: its agent has gone and does not come back within a moment."""
        while self._mux is not None:
            await self._mux.closed.wait()
            self._log.say("the connection to the agent has ended")
            self.lost()
            await self._close()
            await self._again()

    async def _again(self) -> None:
        for _ in range(_TRIES):
            await asyncio.sleep(_PAUSE)
            try:
                await self.open()
            except NoAgent:
                continue
            except AgentError as error:
                self._log.say(f"no connection to the agent: {error}")
                return
            self._log.say("the agent is there again")
            return
        self._log.say("the agent is gone, and with it the environment")

    async def close(self) -> None:
        """End the connection."""
        await self._close()

    async def _close(self) -> None:
        mux, self._mux = self._mux, None
        if mux is not None:
            await mux.close()
