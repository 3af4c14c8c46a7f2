"""What has to happen on the two sides, from what each has and what they last agreed on.

No edit is ever lost to a deletion. A directory goes only when nothing in it stays. What is there on a side and is not
synced is neither deleted nor overwritten, and keeps the directories above it. All of it takes time in proportion to the
tree that is given.
"""

from collections.abc import Callable
from typing import NamedTuple

from devbox.sync.core.entry import Entry
from devbox.sync.core.judge import judge
from devbox.sync.core.modes import Law, Mode, Way, law
from devbox.sync.core.place import GUEST, HOST, Do, Place, Verdict
from devbox.sync.core.plan import Node, Plan, Why
from devbox.sync.core.steps import steps


def as_the_mode_says(path: bytes, guest: Entry | None) -> Way:  # noqa: ARG001
    """The way of every path where no other rule holds."""
    return Way.MODE


class Rules(NamedTuple):
    """What holds while reconciling.

    `way`: which rule holds for a path and what the guest has there (names.Guard.way). `fold`: by what the host takes
    two names for one (names.fold), None if it takes each for itself; siblings that fold alike must then be in the tree
    together. `new_guest`: the guest's root is another than before: the host's counts, what only the guest has stays
    there and is told (with all ancestors None).
    """

    mode: Mode = Mode.TWO_WAY
    way: Callable[[bytes, Entry | None], Way] = as_the_mode_says
    fold: Callable[[bytes], bytes] | None = None
    new_guest: bool = False


def reconcile(root: Node, rules: Rules) -> Plan:
    """Plan for the tree under `root`, which must be a directory on both sides (ValueError if not: see brake)."""
    places = _spread(root, rules)
    if not (places[0].is_directory(HOST) and places[0].is_directory(GUEST)):
        raise ValueError("a root that is no directory is not for reconciling")
    for place in reversed(places):
        place.gather()
    for place in places:
        place.verdict = judge(place)
    for place in reversed(places):
        if rules.fold and len(place.children) > 1:
            _tell_apart(place.children, rules.fold)
        place.settle()
    return steps(places)


def _spread(root: Node, rules: Rules) -> list[Place]:
    """All places, each directly before those in it."""
    laws = {way: _law(rules, way) for way in Way}
    places: list[Place] = []
    waiting: list[tuple[bytes, Node, Place | None]] = [(b"", root, None)]
    while waiting:
        path, node, parent = waiting.pop()
        way = Way.MODE if node.host == node.guest else rules.way(path, node.guest)
        place = Place(path, node, *laws[way], parent)
        place.index = len(places)
        places.append(place)
        if parent is not None:
            parent.children.append(place)
        if node.children:
            above = path + b"/" if path else b""
            waiting.extend((above + name, child, place) for name, child in reversed(node.children.items()))
    return places


def _law(rules: Rules, way: Way) -> tuple[Law, Why]:
    """What holds for a path with this way, and why what the guest changes there stays in the guest, if it does."""
    found = law(rules.mode, way)
    if rules.new_guest:
        return found._replace(to_host=False, host_wins=True), Why.NEW_GUEST
    return found, Why.PROTECTED if way is Way.PROTECTED else Why.ONE_WAY


def _tell_apart(children: list[Place], fold: Callable[[bytes], bytes]) -> None:
    """Let no two names that the host takes for one be there together."""
    alike: dict[bytes, list[Place]] = {}
    for child in children:
        alike.setdefault(fold(child.path.rpartition(b"/")[2]), []).append(child)
    for places in alike.values():
        if len(places) > 1:
            _let_one_be(places)


def _let_one_be(places: list[Place]) -> None:
    made = [place for place in places if place.now[HOST] is None and place.stays[HOST]]
    there = [place for place in places if place.now[HOST] is not None]
    taken = any(place.stays[HOST] for place in there)
    for place in made if taken else made[1:]:
        place.verdict = Verdict(Do.CONFLICT, why=Why.CASE)
        place.stays = (False, place.now[GUEST] is not None)
    if made and there and not taken:
        made[0].away = there[0]
