"""What is to happen to one name, once it is known what stands beneath it."""

from devbox.sync.core.entry import Entry, Kind
from devbox.sync.core.place import AGREE, FADE, GHOST, GUEST, HOST, LEFT, SKIP, TAKE, Do, Place, Verdict
from devbox.sync.core.plan import Why


def judge(place: Place) -> Verdict:
    """The verdict for a place whose parent has one already."""
    parent = place.parent
    if parent is not None and parent.verdict.do in LEFT:
        return SKIP
    if place.is_other():
        return Verdict(Do.KEEP, why=Why.UNSUPPORTED)
    if place.now[HOST] == place.now[GUEST]:
        _must_be_known(place)
        return AGREE
    if parent is not None and parent.verdict.do is Do.TAKE:
        return _with_the_parent(place, parent.verdict.side)
    return _judge_alone(place)


def _judge_alone(place: Place) -> Verdict:
    """The verdict where the two sides differ and nothing above says what is to be."""
    host, guest = place.now
    if place.law.mirror:
        return _mirrored(place)
    if place.ancestor == guest:
        return _changed_on(place, HOST)
    if place.ancestor == host:
        return _changed_on(place, GUEST) if place.law.to_host else _withheld(place)
    return _changed_on_both(place)


def _must_be_known(place: Place) -> None:
    entry = place.now[HOST]
    if entry is not None and entry.kind is Kind.FILE and not entry.digest:
        raise ValueError(f"two files cannot be compared without their digests: {place.path!r}")


def _with_the_parent(place: Place, side: int) -> Verdict:
    if side == GUEST and not place.law.to_host:
        return _kept(place)
    return TAKE[side]


def _kept(place: Place) -> Verdict:
    """What the guest did does not reach the host."""
    return Verdict(Do.KEEP, GUEST, why=place.withheld)


def _mirrored(place: Place) -> Verdict:
    if place.now[HOST] is None and place.is_directory(GUEST):
        return FADE[GUEST]
    return _replaced(place, HOST)


def _replaced(place: Place, side: int) -> Verdict:
    """Take what `side` has if nothing is in the way."""
    other = 1 - side
    why = place.stuck[other] if place.is_directory(other) else None
    return Verdict(Do.CONFLICT, why=why) if why else TAKE[side]


def _changed_on(place: Place, side: int) -> Verdict:
    """The other side has what both had."""
    other = 1 - side
    if not place.is_directory(other):
        return TAKE[side]
    if place.now[side] is None:
        return FADE[other]
    if not place.edits[other]:
        return _replaced(place, side)
    return _replaced(place, HOST) if place.law.host_wins else Verdict(Do.CONFLICT, why=Why.KIND)


def _withheld(place: Place) -> Verdict:
    """The guest changed something, and it does not reach the host."""
    if not place.is_directory(HOST):
        return _kept(place)
    if place.now[GUEST] is None:
        return GHOST
    if not place.edits[HOST]:
        return _kept(place)
    return _replaced(place, HOST) if place.law.host_wins else Verdict(Do.CONFLICT, why=Why.KIND)


def _changed_on_both(place: Place) -> Verdict:
    host, guest = place.now
    if guest is None:
        return TAKE[HOST]
    if host is None:
        return TAKE[GUEST] if place.law.to_host else _kept(place)
    want = merged(place.ancestor, host, guest)
    if want is not None:
        return _merging(place, want)
    if place.law.host_wins:
        return _replaced(place, HOST)
    return Verdict(Do.CONFLICT, why=Why.EDITED if host.kind is guest.kind else Why.KIND)


def merged(ancestor: Entry | None, host: Entry, guest: Entry) -> Entry | None:
    """The one file in which nobody's change is missing: content of one side, executable by the other. None if none."""
    if host.kind is not Kind.FILE or guest.kind is not Kind.FILE:
        return None
    if ancestor is None or ancestor.kind is not Kind.FILE:
        return host._replace(executable=True) if host.digest == guest.digest else None
    if ancestor.digest not in (host.digest, guest.digest) and host.digest != guest.digest:
        return None
    digest = guest.digest if host.digest == ancestor.digest else host.digest
    executable = guest.executable if host.executable == ancestor.executable else host.executable
    return Entry(Kind.FILE, digest, executable)


def _merging(place: Place, want: Entry) -> Verdict:
    if want == place.now[HOST] or place.law.to_host:
        return Verdict(Do.MERGE, want=want)
    return TAKE[HOST] if place.law.host_wins else Verdict(Do.CONFLICT, why=Why.EDITED)
