"""Sets of versions, so that what several files ask for can be compared. Pure.

A version is a tuple of up to `WIDTH` numbers; a `Ranges` holds half-open intervals of them, sorted, not touching. Its
text is in the grammar of `packages.*.version`: "3.11", ">=3.10,<3.13", "18 || >=20".
"""

from dataclasses import dataclass
from typing import Final

WIDTH: Final = 4  # 17.0.9.1 is the longest that anybody writes
Point = tuple[int, ...]
ZERO: Final[Point] = (0,) * WIDTH
TOP: Final[Point] = (10**9,) * WIDTH


@dataclass(frozen=True, slots=True)
class Ranges:
    """A set of versions, as sorted half-open intervals `(first, end)` that do not touch."""

    intervals: tuple[tuple[Point, Point], ...]

    def __bool__(self) -> bool:
        """Whether any version is in it."""
        return bool(self.intervals)

    def __and__(self, other: "Ranges") -> "Ranges":
        """Return the versions that are in both."""
        found = [
            (max(low, first), min(high, end))
            for low, high in self.intervals
            for first, end in other.intervals
            if max(low, first) < min(high, end)
        ]
        return _tidy(found)

    def __or__(self, other: "Ranges") -> "Ranges":
        """Return the versions that are in either."""
        return _tidy([*self.intervals, *other.intervals])

    def without(self, other: "Ranges") -> "Ranges":
        """Return the versions that are not in `other`."""
        left = self
        for low, high in other.intervals:
            left = left & _tidy([(ZERO, low), (high, TOP)])
        return left

    @property
    def text(self) -> str:
        """The set in the profile's grammar; "*" for all versions."""
        return " || ".join(_interval(low, high) for low, high in self.intervals)


ANY: Final = Ranges(((ZERO, TOP),))


def point(parts: tuple[int, ...]) -> Point:
    """Return `parts` as a full version, zeros at the end."""
    return (*parts, *(0,) * WIDTH)[:WIDTH]


def after(parts: tuple[int, ...]) -> Point:
    """Return the first version that does not begin with `parts`."""
    if not parts:
        return TOP
    *head, last = parts[:WIDTH]
    return point((*head, last + 1))


def prefix(parts: tuple[int, ...]) -> Ranges:
    """Return every version that begins with `parts`; all of them for ()."""
    return Ranges(((point(parts), after(parts)),))


def at_least(parts: tuple[int, ...]) -> Ranges:
    """Return `parts` and everything newer."""
    return Ranges(((point(parts), TOP),))


def below(parts: tuple[int, ...]) -> Ranges:
    """Return everything older than `parts`."""
    return _tidy([(ZERO, point(parts))])


def between(parts: tuple[int, ...], end: tuple[int, ...]) -> Ranges:
    """Return everything from `parts` up to `end`, which is not in it."""
    return _tidy([(point(parts), point(end))])


def _tidy(intervals: list[tuple[Point, Point]]) -> Ranges:
    merged: list[tuple[Point, Point]] = []
    for low, high in sorted(pair for pair in intervals if pair[0] < pair[1]):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return Ranges(tuple(merged))


def _interval(low: Point, high: Point) -> str:
    if (low, high) == (ZERO, TOP):
        return "*"
    if high == TOP:
        return f">={_short(low)}"
    for length in range(1, WIDTH + 1):
        if low[length:] == ZERO[length:] and after(low[:length]) == high:
            return ".".join(map(str, low[:length]))
    return f"<{_short(high)}" if low == ZERO else f">={_short(low)},<{_short(high)}"


def _short(version: Point) -> str:
    """Return `version` without zeros at its end, two numbers at the least unless it is a whole major."""
    numbers = list(version)
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return ".".join(map(str, numbers))
