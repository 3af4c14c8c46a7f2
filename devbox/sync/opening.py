"""How a session begins on two ends: who they are, what is there, and what of it is not as it was."""

from devbox.sync.core.brake import Halt, Stop, root_halt
from devbox.sync.core.entry import Side
from devbox.sync.cycle import Cycle
from devbox.sync.endpoint import Code, Endpoint, Mark, Stat
from devbox.sync.memory import Memory, untold
from devbox.sync.pump import Ask, Work, one


def opened(memory: Memory, cycle: Cycle, ends: dict[Side, Endpoint]) -> Work[None]:
    """Look at both sides, and have in `fresh` what a first cycle has to decide on.

    A root that is not the one of the last time has no past: then the host counts, and nothing is deleted.
    """
    scene = cycle.scene
    before = sum(child.base is not None for child in (memory.rows.root.children or {}).values())
    met = [side for side, end in ends.items() if not memory.knows(side, end.identity)]
    for side in met:
        answer = yield from one(side, Mark(memory.nonce))
        if answer.code is not Code.DONE:
            scene.warnings["mark"] = f"the {side.value}'s directory could not be marked, so the next start looks at all"
    memory.distrust(scene)
    for side in met:
        memory.meet(side, ends[side].identity)
    scene.rules = scene.rules._replace(new_guest=memory.new)
    yield from cycle.survey.scan({side: [memory.rows.root] for side in Side})
    left = {} if memory.new else memory.left
    news = scene.fresh
    scene.fresh = {node for node in memory.rows.root.walk() if not node.agreed and (node in news or untold(left, node))}
    cycle.left = dict(memory.left)
    if Side.HOST in met and not cycle.agreed:
        cycle.halt = _lost_host(cycle, before)


def _lost_host(cycle: Cycle, before: int) -> Halt | None:
    """Another directory of the host that is empty, where one with files was, is one that is not mounted."""
    now = sum(child.host is not None for child in (cycle.scene.rows.root.children or {}).values())
    return root_halt(Side.HOST, before=before, now=now)


def root_there(side: Side) -> Work[Halt | None]:
    """Look whether the root is still there."""
    answers = yield [Ask(side, Stat(b""))]
    gone = answers[0].code is not Code.DONE or not answers[0].found
    return Halt(Stop.GONE, side, 0, 0) if gone else None
