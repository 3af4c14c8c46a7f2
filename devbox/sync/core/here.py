"""Many patterns at once: for the names of one directory, and on to those beneath it."""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from devbox.sync.core.patterns import ANY, Pattern, Segment


class Layer(IntEnum):
    """Where a rule is from; the later is stronger."""

    DEFAULT = 0
    GITIGNORE = 1
    OF_GIT = 2
    DEVBOXIGNORE = 3
    PROFILE = 4
    ALWAYS = 5


class Rule(NamedTuple):
    """A pattern with its weight (layer, depth of its file, line): of two that find a name, the heavier counts."""

    weight: tuple[Layer, int, int]
    pattern: Pattern


class Names:
    """Rules for names alone. Most names are found to have none after two look-ups and one expression."""

    __slots__ = ("_any_glob", "_directory", "_endings", "_globs", "_literals", "_negative")

    def __init__(self, rules: Iterable[tuple[Rule, Segment]]) -> None:
        ranked = sorted(rules, key=lambda one: one[0].weight)
        self._negative = [rule.pattern.negative for rule, _ in ranked]
        self._directory = [rule.pattern.directory for rule, _ in ranked]
        self._literals: dict[bytes, list[int]] = {}
        self._endings: dict[bytes, list[int]] = {}
        self._globs: list[tuple[int, Segment]] = []
        for rank in range(len(ranked) - 1, -1, -1):  # the heaviest first
            segment = ranked[rank][1]
            if segment.literal is not None:
                self._literals.setdefault(segment.literal, []).append(rank)
            elif segment.ending is not None:
                self._endings.setdefault(segment.ending, []).append(rank)
            else:
                self._globs.append((rank, segment))
        self._any_glob = _any_of([segment for _, segment in self._globs])

    def ignores(self, name: bytes, *, directory: bool) -> bool:
        """Whether the heaviest rule that finds the name ignores it."""
        best = -1
        if name in self._literals:
            best = self._first(self._literals[name], directory=directory)
        dot = name.rfind(b".")
        if dot >= 0 and (found := self._endings.get(name[dot:])):
            best = max(best, self._first(found, directory=directory))
        if self._any_glob is not None and self._any_glob.match(name):
            best = max(best, self._first_glob(name, best, directory=directory))
        return best >= 0 and not self._negative[best]

    def may_find(self, names: Iterable[bytes]) -> bool:
        """Whether a rule finds one of these names, as a file or a directory. Much cheaper than asking for each."""
        if not self._literals.keys().isdisjoint(names):
            return True
        endings = self._endings
        if endings and any(name[name.rfind(b".") :] in endings for name in names if b"." in name):
            return True
        return self._any_glob is not None and any(map(self._any_glob.match, names))

    def _first(self, ranks: list[int], *, directory: bool) -> int:
        for rank in ranks:
            if directory or not self._directory[rank]:
                return rank
        return -1

    def _first_glob(self, name: bytes, best: int, *, directory: bool) -> int:
        for rank, segment in self._globs:
            if rank < best:
                return -1
            if (directory or not self._directory[rank]) and segment.matches(name):
                return rank
        return -1


def _any_of(segments: list[Segment]) -> re.Pattern[bytes] | None:
    if not segments:
        return None
    texts = dict.fromkeys(b"" if segment.regex is None else segment.regex.pattern for segment in segments)
    return re.compile(b"|".join(b"(?:" + text + b")" for text in texts), re.DOTALL)


class Path(NamedTuple):
    """A rule for paths, as far as the directories above have its segments. `at`: bits, which may come next."""

    rule: Rule
    at: int

    def beneath(self, name: bytes) -> "Path | None":
        """The same in the directory of this name; None if it can find nothing there any more."""
        segments = self.rule.pattern.segments
        after = 0
        for number, segment in enumerate(segments):
            if not self.at >> number & 1:
                continue
            if segment is ANY:
                after |= 1 << number
            elif number + 1 < len(segments) and segment.matches(name):
                after |= 1 << number + 1
        return Path(self.rule, _with_skips(segments, after)) if after else None

    def segment(self) -> Segment | None:
        """What it says of names in this directory, if it does."""
        last = len(self.rule.pattern.segments) - 1
        return self.rule.pattern.segments[last] if self.at >> last & 1 else None


def _with_skips(segments: tuple[Segment, ...], at: int) -> int:
    for number, segment in enumerate(segments[:-1]):
        if segment is ANY and at >> number & 1:
            at |= 1 << number + 1
    return at


class Here:
    """All rules as they are in one directory. A value; directories for which they are the same share it."""

    __slots__ = ("_floating", "_for_git", "_names", "_paths", "_plain")

    def __init__(
        self, floating: tuple[Rule, ...] = (), paths: tuple[Path, ...] = (), plain: "Here | None" = None
    ) -> None:
        self._floating = floating
        self._paths = paths
        self._for_git: Names | None = None  # what counts for .git
        self._plain = plain  # the same without rules for paths, if somebody needed it
        found = [(path.rule, segment) for path in paths if (segment := path.segment())]
        if paths and not found:
            self._names: Names = self._without_paths()._names
        else:
            self._names = Names([*((rule, rule.pattern.segments[0]) for rule in floating), *found])

    def _without_paths(self) -> "Here":
        if self._plain is None:
            self._plain = Here(self._floating)
        return self._plain

    def ignores(self, name: bytes, *, directory: bool) -> bool:
        """Whether a name in this directory is not synced; an ignored directory is with all that is in it."""
        if name == b".git":
            if self._for_git is None:
                self._for_git = self.of_layer(Layer.DEVBOXIGNORE)._names
            return self._for_git.ignores(name, directory=directory)
        return self._names.ignores(name, directory=directory)

    def may_ignore(self, names: Sequence[bytes]) -> bool:
        """Whether to ask for each of these names; if not, none is ignored."""
        return b".git" in names or self._names.may_find(names)

    def finds(self, names: Sequence[bytes], *, directory: bool) -> bool:
        """The same for the last of these names, each in the directory of the one before."""
        here = self
        for name in names[:-1]:
            if here.ignores(name, directory=True):
                return True
            here = here.beneath(name)
        return here.ignores(names[-1], directory=directory)

    def with_rules(self, rules: Iterable[Rule]) -> "Here":
        """These rules as well; those for paths begin here."""
        rules = tuple(rules)
        if not rules:
            return self
        floating = tuple(rule for rule in rules if rule.pattern.floating)
        begun = (Path(rule, _with_skips(rule.pattern.segments, 1)) for rule in rules if not rule.pattern.floating)
        return Here(self._floating + floating, (*self._paths, *begun))

    def beneath(self, name: bytes) -> "Here":
        """What of it holds in the directory of this name."""
        if not self._paths:
            return self
        paths = tuple(path for one in self._paths if (path := one.beneath(name)))
        if paths == self._paths:
            return self
        return Here(self._floating, paths, self._without_paths()) if paths else self._without_paths()

    def of_layer(self, least: Layer) -> "Here":
        """The rules of this layer and stronger ones alone."""
        return Here(
            tuple(rule for rule in self._floating if rule.weight[0] >= least),
            tuple(path for path in self._paths if path.rule.weight[0] >= least),
        )


EMPTY: Final = Here()
