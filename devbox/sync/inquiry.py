"""What is found by looking at everything although nobody told of it. Of one thread."""

from collections.abc import Iterable

from devbox.sync.core.entry import Side


class Inquiry:
    """One look at everything. `told`: what is known to have changed, if not yet how; `news`: what was found changed."""

    def __init__(self, told: Iterable[tuple[Side, bytes]]) -> None:
        self.told = set(told)
        self.news: set[tuple[Side, bytes]] = set()

    def found(self) -> tuple[bytes, ...]:
        """Return of what nobody told: neither of the path nor of a directory that it is in. Sorted."""
        return tuple(sorted({path for side, path in self.news if not self._was_told(side, path)}))

    def _was_told(self, side: Side, path: bytes) -> bool:
        while path:
            if (side, path) in self.told:
                return True
            path = path.rpartition(b"/")[0]
        return False
