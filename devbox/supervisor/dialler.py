"""How the relays reach into the Environment; what is behind it is the Link."""

from typing import Final, Protocol

from devbox.agent.client import AgentError

GONE: Final = (OSError, AgentError)  # what a channel raises that has ended otherwise than it should


class Channel(Protocol):
    """A connection to a port inside, as `devbox.agent.mux` has them."""

    @property
    def over(self) -> bool:
        """Whether the other side has ended it, so that what is written goes nowhere."""

    async def read(self) -> bytes:
        """Return what has come, with UDP one datagram; b"" at the end."""

    def write(self, data: bytes) -> None:
        """Take `data`, with UDP as one datagram."""

    async def drain(self) -> None:
        """Return when more can be written."""

    def eof(self) -> None:
        """Write no more; reading goes on."""

    def close(self) -> None:
        """Leave it; may be called again."""


class Dialler(Protocol):
    """Whoever can reach into the Environment."""

    async def connect(self, kind: int, host: str, port: int) -> Channel:
        """Return a channel to a port inside; `OSError` if nobody listens there or there is no agent."""
