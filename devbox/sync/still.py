"""Whether a session has not stirred since somebody saw that it was at rest, for threads that are not its own.

To be told so by the session's thread costs two changes of threads, which take longer than the command that waits. It is
seen from outside as well: the session waits where it waited, and nothing of what it waits for has come.
"""

import select
import threading
import time
from collections.abc import Collection, Iterable
from typing import Final

NEVER: Final = -1


class Still:
    """Kept by the session's thread (`wait`); `since` is for any other."""

    def __init__(self, control: int, ends: Iterable[int]) -> None:
        self._control = control
        # Goes up whenever it wakes for more than a question, and begins where no session before it has come to.
        self._count = time.monotonic_ns()
        self._rests = False
        self._asked = threading.Lock()
        self._own, self._others = select.poll(), select.poll()  # one of these takes one thread at a time
        self._own.register(control, select.POLLIN)
        for descriptor in ends:
            self._own.register(descriptor, select.POLLIN)
            self._others.register(descriptor, select.POLLIN)

    @property
    def count(self) -> int:
        """What `since` is to be asked for later, by the session's thread."""
        return self._count

    def wait(self, seconds: float | None, *, rests: bool) -> Collection[int]:
        """Wait until something comes, at most so long (None: for ever); return what is readable.

        `rests`: there is nothing to be done but what may come.
        """
        self._rests = rests
        readable = {descriptor for descriptor, _ in self._own.poll(None if seconds is None else seconds * 1000)}
        if readable != {self._control}:
            self._count += 1  # before anything of it is taken
        self._rests = False
        return readable

    def since(self, count: int) -> bool:
        """Whether it rests as it did when its `count` was this, and nothing has happened at either end until now."""

        def rests() -> bool:
            return self._rests and self._count == count

        with self._asked:
            return rests() and not self._others.poll(0) and rests()
