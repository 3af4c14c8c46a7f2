"""In which order the steps of a Recipe stand, so that a change costs what changed and no more. Pure.

System packages come in groups. The first stands at the bottom. What is added later stands as late as it did when it
was added: after all steps that are still what they were then, so that none of them runs again; and before the first
that has changed, since that may need it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from devbox.build.recipe import BaseImage, Question, Step
from devbox.build.steps import apt
from devbox.profile.lock import Group, Platform

Link = Step | Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Steps in their order up to the first open question, and the Lock as far as it is known.

    `pending`: the group that an open question about system packages is for; its place is the question's.
    """

    steps: tuple[Step, ...]
    lock: Platform
    open: Question | None = None
    pending: Group | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storeys:
    """What there is to lay out: `bottom`, the first group of packages, `user`, `links` with the later groups.

    `names`: by what the Lock knows each of the links, whoever builds and wherever.
    """

    bottom: tuple[Step, ...]
    user: Step
    links: tuple[Link, ...]
    names: tuple[str, ...]


def lay_out(base: BaseImage, storeys: Storeys, *, wanted: Collection[str], lock: Platform) -> Layout:
    """Return the layout of `storeys`; `wanted`: the system packages that the profile asks for."""
    links = storeys.links
    trail = tuple(_known(links, storeys.names))
    groups, pending = _changed(lock, trail, wanted)
    first, later = groups[:1], groups[1:]
    places = _places(later, trail)
    known = replace(lock, groups=groups, steps=trail)
    walk = _Walk(base=base, lock=known, steps=list(storeys.bottom))
    for group in first:
        walk.group(group)
    if not groups and pending is not None:
        walk.ask(pending)
    walk.step(storeys.user)
    for index in range(len(links) + 1):
        for group, place in zip(later, places, strict=True):
            if place == index:
                walk.group(group)
        if pending is not None and groups and _shared(pending.after, trail) == index:
            walk.ask(pending)
        if index < len(links):
            walk.link(links[index])
    return walk.layout()


class _Walk:
    """Puts steps behind each other until a question is open; after that nothing is known."""

    def __init__(self, *, base: BaseImage, lock: Platform, steps: list[Step]) -> None:
        self._base = base
        self._lock = lock
        self._steps = steps
        self._open: Question | None = None
        self._pending: Group | None = None

    def step(self, step: Step) -> None:
        if self._open is None:
            self._steps.append(step)

    def link(self, link: Link) -> None:
        if isinstance(link, Step):
            self.step(link)
        elif self._open is None:
            self._open = link

    def group(self, group: Group) -> None:
        if group.stale:
            self.ask(group)
        elif group.removed:
            there = _installed(self._lock.groups)
            names = [name for name in group.removed if apt.plain(name) in there]
            if names:
                self.step(apt.remove(self._base, names))
        else:
            self.step(apt.install(self._base, group, first=group == self._lock.groups[0]))

    def ask(self, group: Group) -> None:
        if self._open is None:
            kept = [one for one in group.packages if one.name not in group.stale]
            self._open = apt.question(self._base, group.asked, known=kept)
            self._pending = group

    def layout(self) -> Layout:
        return Layout(steps=tuple(self._steps), lock=self._lock, open=self._open, pending=self._pending)


def settle(lock: Platform, pending: Group, lines: Sequence[str]) -> Platform:
    """Return `lock` with what the answer to the question about `pending` says."""
    known = apt.answered(replace(pending, stale=()), lines)
    if pending in lock.groups:
        groups = tuple(known if group == pending else group for group in lock.groups)
    else:
        groups = (*lock.groups, known)
    return replace(lock, groups=groups)


def asked_for(groups: Sequence[Group]) -> frozenset[str]:
    """Return the packages that `groups` were asked for and have not been taken away since."""
    names: set[str] = set()
    for group in groups:
        names |= set(group.asked)
        names -= set(group.removed)
    return frozenset(names)


def folded(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return `groups` as one, and one more for all that was taken away since. No version moves and nothing is asked.

    What was taken away is still put there first: what came along with it, and is not needed by anything else, only the
    package manager knows.
    """
    by_name = {(one.name, one.architecture): one for group in groups for one in group.packages}
    wanted = asked_for(groups)
    removed = {name for group in groups for name in group.removed} - wanted
    whole = Group(
        asked=tuple(sorted({name for group in groups for name in group.asked})),
        packages=tuple(by_name[key] for key in sorted(by_name)),
        epoch=max((group.epoch for group in groups), default=0),
    )
    if len(groups) < 2:
        return tuple(groups)
    return (whole, Group(removed=tuple(sorted(removed)))) if removed else (whole,)


def renewed(groups: Sequence[Group], names: Collection[str]) -> tuple[Group, ...]:
    """Return `groups` with the packages `names`, asked for or not, to be looked up again; the others keep theirs."""
    return tuple(_renewed(group, names) for group in groups)


def _renewed(group: Group, names: Collection[str]) -> Group:
    mine = {one.name for one in group.packages} | set(map(apt.plain, group.asked))
    stale = tuple(sorted({*group.stale, *(mine & set(names))}))
    return replace(group, stale=stale) if stale and not group.removed else group


def _changed(lock: Platform, trail: Sequence[str], wanted: Collection[str]) -> tuple[tuple[Group, ...], Group | None]:
    """Return the groups without what is not wanted any more, and one for what is wanted anew."""
    groups = lock.groups
    have = asked_for(groups)
    gone, new = sorted(have - set(wanted)), tuple(sorted(set(wanted) - have))
    after = tuple(trail[: _shared(lock.steps, trail)])
    if gone and len(groups) > 1 and set(gone) == set(groups[-1].asked):
        groups = groups[:-1]
    elif gone:
        groups = (*groups, Group(removed=tuple(gone), after=after))
    return groups, Group(asked=new, after=after) if new else None


def _known(links: Sequence[Link], names: Sequence[str]) -> Iterator[str]:
    for link, name in zip(links, names, strict=True):
        if not isinstance(link, Step):
            return
        yield name


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many of their first entries are the same."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _places(groups: Sequence[Group], trail: Sequence[str]) -> list[int]:
    """Return after how many links each group stands; none stands before one that was added earlier."""
    places = [_shared(group.after, trail) for group in groups]
    for index in range(len(places) - 2, -1, -1):
        places[index] = min(places[index], places[index + 1])
    return places


def _installed(groups: Sequence[Group]) -> frozenset[str]:
    return frozenset(one.name for group in groups for one in group.packages)
