"""The verdicts of a tree as a plan: what is to be done, in an order in which it can be done."""

from devbox.sync.core.entry import Entry, Kind
from devbox.sync.core.place import GUEST, HOST, LEFT, SIDES, SKIP, Do, Place
from devbox.sync.core.plan import Action, Conflict, Note, Plan, Reason, Why

_DIRECTORY = Entry(Kind.DIRECTORY)


def steps(places: list[Place]) -> Plan:
    """Plan for settled places, each directly before those in it.

    First what is new or changed, directories before what is in them, and directly before it what has to be away for it.
    Then what goes, directories behind what was in them. So what was renamed is never missing under both names.
    """
    plan = Plan(actions=[], conflicts=[], ancestor=[], restored=[], kept=[])
    for place in places:
        if place.parent is not None and place.parent.verdict.do in LEFT:
            place.verdict = SKIP
        _arrive(place, places, plan)
    for place in reversed(places):
        _leave(place, plan)
    return plan


def _arrive(place: Place, places: list[Place], plan: Plan) -> None:
    host, guest = place.now
    match place.verdict.do:
        case Do.AGREE:
            if host != place.ancestor:
                plan.ancestor.append((place.path, host))
        case Do.TAKE:
            want = place.now[place.verdict.side]
            if want is not None:
                _have(place, 1 - place.verdict.side, want, places, plan)
        case Do.MERGE:
            want = place.verdict.want
            for side in (HOST, GUEST):
                if want is not None and place.now[side] != want:
                    keep = _keep(place, side, want)
                    plan.actions.append(
                        Action(SIDES[side], place.path, want, place.now[side], Reason.MERGED, keep=keep)
                    )
        case Do.CONFLICT:
            plan.conflicts.append(Conflict(place.path, place.verdict.why or Why.EDITED, host, guest))
        case Do.FADE | Do.GHOST | Do.KEEP | Do.SKIP:
            _arrive_alone(place, places, plan)


def _arrive_alone(place: Place, places: list[Place], plan: Plan) -> None:
    """Bring back a directory in which something is to be; tell what stays on one side alone."""
    side = place.verdict.side
    match place.verdict.do:
        case Do.FADE | Do.GHOST if place.stays == (True, True):
            _have(place, 1 - side, _DIRECTORY, places, plan)
        case Do.FADE if place.stays[side] and place.holds[side]:
            plan.kept.append(Note(place.path, SIDES[side], Why.UNTRACKED))
        case Do.GHOST:
            _tell_withheld(place, plan)
        case Do.KEEP if place.verdict.why is Why.UNSUPPORTED:
            for number, entry in enumerate(place.now):
                if entry is not None and entry.kind is Kind.OTHER:
                    plan.kept.append(Note(place.path, SIDES[number], Why.UNSUPPORTED))
        case Do.KEEP:
            _tell_withheld(place, plan)
        case _:
            pass


def _tell_withheld(place: Place, plan: Plan) -> None:
    """Tell it once for a directory with all that is in it."""
    parent = place.parent
    if parent is None or parent.verdict.do is not Do.GHOST or parent.stays[GUEST]:
        plan.kept.append(Note(place.path, SIDES[GUEST], place.withheld))


def _have(place: Place, side: int, want: Entry, places: list[Place], plan: Plan) -> None:
    """Let that side have it, with whatever is in the way away."""
    was = place.now[side]
    if was is not None and Kind.DIRECTORY in (was.kind, want.kind):
        keep = _keep(place, side, want)
        _clear(place, places, plan)
        plan.actions.append(Action(SIDES[side], place.path, None, was, _reason(place, side, want), keep=keep))
        was = None
    if place.away is not None and side == HOST:
        _clear(place.away, places, plan)
        _leave(place.away, plan)
    reason = _reason(place, side, want)
    keep = was is not None and _keep(place, side, want)
    plan.actions.append(Action(SIDES[side], place.path, want, was, reason, keep=keep))
    if reason is Reason.RESTORED:
        plan.restored.append((place.path, SIDES[side]))


def _clear(place: Place, places: list[Place], plan: Plan) -> None:
    """Delete what is in it."""
    for number in range(place.index + place.size - 1, place.index, -1):
        _leave(places[number], plan)


def _leave(place: Place, plan: Plan) -> None:
    """Delete it, if it is to go and did not yet."""
    side = place.verdict.side
    match place.verdict.do:
        case Do.TAKE if place.now[side] is None:
            side = 1 - side
        case Do.FADE if not place.stays[side]:
            pass
        case _:
            return
    if place.done:
        return
    place.done = True
    was, keep = place.now[side], _keep(place, side, None)
    plan.actions.append(Action(SIDES[side], place.path, None, was, _reason(place, side, None), keep=keep))


def _reason(place: Place, side: int, want: Entry | None) -> Reason:
    was = place.now[side]
    if place.law.mirror and side == GUEST and was != place.ancestor:
        return Reason.MIRRORED
    if want is None:
        return Reason.DELETED
    if was == place.ancestor:
        return Reason.CHANGED
    return Reason.RESTORED if was is None else Reason.WON


def _keep(place: Place, side: int, want: Entry | None) -> bool:
    """Whether what is there must be found in the trash: always on the host; in the guest, what it did itself."""
    was = place.now[side]
    if was is None or was.kind is Kind.DIRECTORY:
        return False
    if want is not None and want.kind is was.kind is Kind.FILE and want.digest == was.digest:
        return False
    if side == HOST or was != place.ancestor:
        return True
    within = place.parent is not None and place.parent.verdict.do is Do.TAKE
    return within or (want is not None and want.kind is not was.kind)
