"""The ways into an Environment, opened as soon as the Record says where they are.

Meanwhile it is found out whether all is as the Record says: the agent lets us in, and what was changed here goes in.
"""

from __future__ import annotations

from devbox.agent.client import Greeting, dial
from devbox.supervisor.probe import Flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Door:
    """To the agent of `entry`, and the Supervisor at `supervisor`; `client.NoAgent` if no agent is there.

    Nothing comes of it but that what was changed here is inside.
    """

    __slots__ = ("greeting", "sync")

    def __init__(self, entry: Mapping[str, str], supervisor: str) -> None:
        self.greeting = Greeting(dial(entry["socket"]), entry["spec"])
        self.sync = Flush(supervisor) if entry["sync"] else None

    def close(self) -> None:
        """Leave it; may be called again."""
        self.greeting.transport.close()
        if self.sync:
            self.sync.close()
