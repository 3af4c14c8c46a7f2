"""What was put on the host and is not on its disk yet. Of one thread.

Until it is, the state does not hear of it: after a loss of power the file may be empty, and with what both had before
in the state that is a conflict, or the guest's edit once more, and never an edit of the host.
"""

import contextlib
import time
from typing import Final

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.endpoint import Answer, Code, Endpoint, Settle
from devbox.sync.pump import Work, one
from devbox.sync.rows import Node
from devbox.sync.scene import Scene
from devbox.sync.troubles import text

LULL: Final = 0.02  # seconds without a file put, after which it is time
LATEST: Final = 1.0  # seconds after which it is in any case
_NEVER: Final = float("inf")


class Settling:
    """Asks the host's end to have it there, again and again if the disk refuses."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._not_before = 0.0

    def at(self, *, quiet: bool, hurry: bool) -> float:
        """Return when to begin. `quiet`: there is nothing else to do; `hurry`: somebody waits for the end of it."""
        scene = self._scene
        if not scene.unsettled or scene.settling:
            return _NEVER
        if quiet:
            return max(0.0 if hurry else scene.put_last + LULL, self._not_before)
        return max(scene.put_first + LATEST, self._not_before)

    def work(self) -> Work[None]:
        """Do it."""
        scene = self._scene
        asked, scene.settling, scene.unsettled = scene.unsettled, scene.unsettled, {}
        answer = yield from one(Side.HOST, Settle())
        scene.settling = {}
        if answer.code is not Code.DONE:
            self._not_before = time.monotonic() + LATEST
            scene.unsettled = {**scene.unsettled, **asked}
        for node in asked if answer.code is not Code.DONE else ():
            scene.troubles.add(node.path, Side.HOST, text(answer.errno, answer.room, 0))

    def last(self, end: Endpoint) -> None:
        """Do it at once, as the session leaves this end; what may not be there counts as never brought over."""
        scene = self._scene
        asked = {**scene.unsettled, **scene.settling}
        scene.unsettled, scene.settling = {}, {}
        answers: list[Answer] = []
        if asked:
            with contextlib.suppress(OSError):
                end.ask(Settle(), answers.append)
        if asked and [answer.code for answer in answers] != [Code.DONE]:
            for node, base in asked.items():
                self._forget(node, base)

    def _forget(self, node: Node, base: Entry | None) -> None:
        if not self._scene.attached(node):
            return
        node.base = base
        if node.host is not None and node.host.kind is Kind.FILE:  # what is there is read again
            node.put(Side.HOST, Entry(Kind.FILE, executable=node.host.executable), node.host_stamp)
        self._scene.rows.changed.add(node)
