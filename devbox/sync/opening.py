"""How a session begins on two ends: who they are, what is there, and what of it is not as it was."""

import errno
from collections.abc import Callable

from devbox.sync.core.brake import Halt, root_halt
from devbox.sync.core.entry import Side
from devbox.sync.cycle import Cycle
from devbox.sync.endpoint import Code, Endpoint, List, Mark, Stat
from devbox.sync.memory import Memory, untold
from devbox.sync.pump import EndLost, Work, one


def opened(memory: Memory, cycle: Cycle, ends: dict[Side, Endpoint], may_begin: Callable[[], bool]) -> Work[bool]:
    """Look at both sides, and have in `fresh` what a first cycle has to decide on; some may have begun (`first_look`).

    A root that is not the one of the last time has no past: then the host counts, and nothing is deleted. Returns
    False if the host's is empty as well: then nothing is done before somebody agrees, and it is begun anew.
    """
    scene = cycle.scene
    before = sum(child.base is not None for child in (memory.rows.root.children or {}).values())
    met = [side for side, end in ends.items() if not memory.knows(side, end.identity)]
    if Side.HOST in met and before and not cycle.agreed:
        cycle.halt = yield from _lost_host(cycle, before)
        if cycle.halt is not None:
            return False
    for side in met:
        answer = yield from one(side, Mark(memory.nonce))
        if answer.code is not Code.DONE:
            scene.warnings["mark"] = f"the {side.value}'s directory could not be marked, so the next start looks at all"
    memory.distrust(scene)
    for side in met:
        memory.meet(side, ends[side].identity)
    scene.rules = scene.rules._replace(new_guest=memory.new)
    yield from cycle.first_look(may_begin)
    left = {} if memory.new else memory.left
    news = scene.fresh
    scene.fresh = {
        node
        for node in memory.rows.root.walk()
        if not node.agreed and node not in scene.busy and (node in news or untold(left, node))
    }
    cycle.left = dict(memory.left)
    return True


def _lost_host(cycle: Cycle, before: int) -> Work[Halt | None]:
    """Another directory of the host that is empty, where one with files was, is one that is not mounted."""
    scene = cycle.scene
    answer = yield from one(Side.HOST, List(b""))
    root = scene.rows.root
    now = sum(not scene.never(root, found.name) and not scene.unsynced(root, found) for found in answer.found)
    return root_halt(Side.HOST, before=before, now=now)


def root_there(side: Side) -> Work[None]:
    """Look whether the root is still there; `EndLost` if not."""
    answer = yield from one(side, Stat(b""))
    if answer.code is not Code.DONE or not answer.found:
        raise EndLost(side, FileNotFoundError(errno.ENOENT, "its directory is gone"))
