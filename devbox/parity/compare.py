"""Two manifests: the same, or what differs, by path and field. Pure."""

from dataclasses import dataclass

from devbox.parity.manifest import Entry, Manifest, sort_key

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one path. `field`: "presence" where only one of the two has the path."""

    path: str
    field: str
    ours: str
    theirs: str


def compare(ours: Manifest, theirs: Manifest) -> tuple[Difference, ...]:
    """Return all differences, sorted by path; none: the two are identical."""
    mine = {entry.path: entry for entry in ours.entries}
    others = {entry.path: entry for entry in theirs.entries}
    found: list[Difference] = []
    for path in sorted(mine.keys() | others.keys(), key=sort_key):
        found += _of_path(path, mine.get(path), others.get(path))
    return tuple(found)


def _of_path(path: str, ours: Entry | None, theirs: Entry | None) -> list[Difference]:
    if ours == theirs:
        return []
    if ours is None or theirs is None:
        values = [ABSENT if entry is None else entry.kind for entry in (ours, theirs)]
        return [Difference(path=path, field="presence", ours=values[0], theirs=values[1])]
    fields = _fields(ours), _fields(theirs)
    if ours.kind != theirs.kind:  # nothing else of them can be compared
        return [Difference(path=path, field="type", ours=ours.kind, theirs=theirs.kind)]
    return [
        Difference(path=path, field=name, ours=value, theirs=fields[1][name])
        for name, value in fields[0].items()
        if value != fields[1][name]
    ]


def _fields(entry: Entry) -> dict[str, str]:
    """Return what is compared; a size says nothing that the content does not."""
    return {
        "mode": entry.mode,
        "owner": entry.owner,
        "content": entry.content,
        "target": entry.target or "-",
        "capabilities": entry.capabilities,
    }
