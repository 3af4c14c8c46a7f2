"""What a FakeEngine remembers of the calls to it, and how its connection is lost."""

import hashlib

from devbox.engine.base import EngineInfo, Labels
from devbox.errors import EngineUnavailableError

CREATED = "2026-01-01T00:00:00Z"


class FakeCalls:
    """`calls` has the name and subject of each call that changes something. `drop_on` cuts the connection."""

    def __init__(self, info: EngineInfo) -> None:
        self.info = info
        self.calls: list[tuple[str, str]] = []
        self._count = 0
        self._drop: tuple[str, int] | None = None

    def drop_on(self, call: str, *, nth: int = 1) -> None:
        """Lose the connection in the `nth` call of that name ("commit", "wait", "receive", ...), and for good."""
        self._drop = (call, nth)

    def come_back(self) -> None:
        """Answer again: what was made before is still there."""
        self._drop = None

    def calls_of(self, name: str) -> list[str]:
        """Return the subjects of the calls of that name."""
        return [subject for call, subject in self.calls if call == name]

    def _changes(self, call: str, subject: str) -> None:
        self._alive(call)
        self.calls.append((call, subject))

    def _alive(self, call: str) -> None:
        if self._drop is None:
            return
        name, left = self._drop
        if name == call and left > 0:
            self._drop = (name, left - 1)
        if self._drop[1] == 0:
            raise EngineUnavailableError(f"the engine at {self.info.url} dropped the connection")

    def _id(self, kind: str) -> str:
        self._count += 1
        return "sha256:" + hashlib.sha256(f"{kind} {self._count}".encode()).hexdigest()


def carries(own: Labels, wanted: Labels) -> bool:
    return all(name in own and value in ("", own[name]) for name, value in wanted.items())
