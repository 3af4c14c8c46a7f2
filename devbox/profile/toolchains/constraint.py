"""What a profile asks of a version: one grammar for all languages, close to what their own tools read. Pure.

A version with missing parts stands for all that begin so: "3.11" is any 3.11.z, "<=3.11" has 3.11.9 in it, ">3.11"
begins with 3.12 (as npm reads it). Terms beside each other, with a comma or a space, must all hold; "||" is or.
A constraint comes to ranges of versions, and everything else is asked of these.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

Release = tuple[int, ...]  # no zeros at the end, so that 3.11 and 3.11.0 are the same place

LENGTH_MAX: Final = 200
_EXAMPLE: Final = 'write it as "3.11", "3.11.4", ">=3.10,<3.13", "^20", "~1.22" or "18 || 20"'
_OPERATOR: Final = r"(?P<operator>===|==|=|!=|~=|~>|~|\^|<=|>=|<|>|)"
_TERM: Final = re.compile(
    _OPERATOR + r"[ \t]*[vV]?(?P<parts>[0-9]{1,9}(?:\.[0-9]{1,9})*)(?:(?:\.[xX*])*|-0)(?![^ \t,])"
)
_ANYTHING: Final = re.compile(r"(?:==|=|>=|)[ \t]*[vV]?[xX*](?:\.[xX*])*(?![^ \t,])")
_HYPHEN: Final = re.compile(r"(?P<low>[^\s,|]+)\s+-\s+(?P<high>[^\s,|]+)")
_PRE: Final = re.compile(
    r"[0-9](?:-|\.?)(?:a|b|c|rc|alpha|beta|pre|preview|dev|nightly|canary|next)[.-]?[0-9]*\b", re.I
)
_LEADING: Final = re.compile(r"[^0-9]{0,16}?([0-9]{1,9}(?:\.[0-9]{1,9})*)")


@dataclass(frozen=True, slots=True)
class Span:
    """The versions from `low` on and before `high`; None: without end."""

    low: Release
    high: Release | None


_ALL: Final[tuple[Span, ...]] = (Span((), None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A version or a range of them. `text`: as it was written; `spans`: what it comes to, sorted and apart."""

    text: str
    spans: tuple[Span, ...]

    def includes(self, version: str) -> bool:
        """Whether the full version `version` ("20.11.1", "v20.11.1", "go1.22") is one of those asked for."""
        place = _canonical(numbers(version))
        return any(span.low <= place and (span.high is None or place < span.high) for span in self.spans)

    def allows(self, version: str) -> bool:
        """Whether every version that begins with `version` is one of those asked for; "3.11" is any 3.11.z."""
        wanted = _prefix(numbers(version))
        return any(_holds(span, wanted) for span in self.spans)

    def meets(self, version: str) -> bool:
        """Whether some version that begins with `version` is one of those asked for."""
        return bool(_both(self.spans, (_prefix(numbers(version)),)))

    def intersects(self, other: "Constraint") -> bool:
        """Whether one version can be what both ask for."""
        return bool(_both(self.spans, other.spans))

    def newest(self, versions: Iterable[str]) -> str | None:
        """Return the newest of the full versions `versions` that is asked for, None if none is."""
        fitting = [version for version in versions if self.includes(version)]
        return max(fitting, key=lambda version: _canonical(numbers(version)), default=None)

    @property
    def anything(self) -> bool:
        """Whether every version will do."""
        return self.spans == _ALL


def parse(text: str) -> Constraint:
    """Return the constraint that `text` writes. `ValueError` says what is wrong and, after "; ", what to write."""
    if not text.strip():
        raise ValueError(f"is empty; {_EXAMPLE}")
    if len(text) > LENGTH_MAX:
        raise ValueError(f"is longer than {LENGTH_MAX} characters; {_EXAMPLE}")
    spans = _union(span for part in re.split(r"\|\|?", text) for span in _conjunction(part))
    if not spans:
        raise ValueError(f"no version can be all of this; {_EXAMPLE}")
    return Constraint(text=text, spans=spans)


def overlap(constraints: Iterable[Constraint]) -> Constraint | None:
    """Return what all of `constraints` ask for, written anew; None if nothing can be all of it."""
    spans = _ALL
    for one in constraints:
        spans = _both(spans, one.spans)
    return Constraint(text=" || ".join(map(_written, spans)), spans=spans) if spans else None


def check(text: str) -> str:
    """Return `text` if it is a constraint, else raise as `parse` does: for the profile's model."""
    parse(text)
    return text


def numbers(version: str) -> Release:
    """Return the numbers that a version as a program says it begins with: "v20.11.1", "go1.22", "3.1.2p20".

    `ValueError` if there are none.
    """
    match = _LEADING.match(version.strip())
    if match is None:
        raise ValueError(f'not a version: "{version}"; {_EXAMPLE}')
    return tuple(int(part) for part in match[1].split("."))


def _conjunction(text: str) -> tuple[Span, ...]:
    """Return what all terms of one alternative have in common."""
    text = _HYPHEN.sub(r">=\g<low> <=\g<high>", text).strip(" \t,")
    if not text:
        raise ValueError(f"an alternative is empty; {_EXAMPLE}")
    spans = _ALL
    while text:
        match = _ANYTHING.match(text)
        if match is None:
            match = _TERM.match(text)
            if match is None:
                raise _unreadable(text)
            spans = _both(spans, _term(match))
        text = text[match.end() :].lstrip(" \t,")
    return spans


def _unreadable(text: str) -> ValueError:
    if _PRE.search(text):
        return ValueError(f"versions before a release cannot be asked for; {_EXAMPLE}")
    return ValueError(f"not a version or a range of versions; {_EXAMPLE}")


def _term(match: re.Match[str]) -> tuple[Span, ...]:
    parts = tuple(int(part) for part in match["parts"].split("."))
    operator = match["operator"]
    if operator in ("~=", "~>") and len(parts) < 2:
        raise ValueError(f'"{operator}{match["parts"]}" leaves open what may change; write "^{match["parts"]}"')
    return _union(_MEANING[operator](parts))


def _any_of(parts: Release) -> list[Span]:
    return [_prefix(parts)]


def _none_of(parts: Release) -> list[Span]:
    span = _prefix(parts)
    return [Span((), span.low), Span(_end(span), None)]


def _caret(parts: Release) -> list[Span]:
    """Npm's ^: up to the next of the first number that is not 0."""
    place = next((n for n, part in enumerate(parts) if part), len(parts) - 1)
    return [Span(_canonical(parts), _after(parts[: place + 1]))]


def _tilde(parts: Release) -> list[Span]:
    """Npm's ~: up to the next of the second number."""
    return [Span(_canonical(parts), _after(parts[:2]))]


def _compatible(parts: Release) -> list[Span]:
    """~= of Python and ~> of Ruby: up to the next of the number before the last."""
    return [Span(_canonical(parts), _after(parts[:-1]))]


_MEANING: Final[Mapping[str, Callable[[Release], list[Span]]]] = {
    "": _any_of,
    "=": _any_of,
    "==": _any_of,
    "===": _any_of,
    "!=": _none_of,
    "^": _caret,
    "~": _tilde,
    "~=": _compatible,
    "~>": _compatible,
    "<": lambda parts: [Span((), _canonical(parts))],
    "<=": lambda parts: [Span((), _after(parts))],
    ">": lambda parts: [Span(_after(parts), None)],
    ">=": lambda parts: [Span(_canonical(parts), None)],
}


def _written(span: Span) -> str:
    """Return `span` as a term: "3.11" where it is all that begins so."""
    low = f">={'.'.join(map(str, span.low))}" if span.low else ""
    if span.high is None:
        return low or "*"
    parts = (*span.high[:-1], span.high[-1] - 1)
    if _canonical(parts) == span.low:
        return ".".join(map(str, parts))
    high = f"<{'.'.join(map(str, span.high))}"
    return f"{low},{high}" if low else high


def _prefix(parts: Release) -> Span:
    return Span(_canonical(parts), _after(parts))


def _after(parts: Release) -> Release:
    """Return the first version that does not begin with `parts`."""
    return (*parts[:-1], parts[-1] + 1)


def _end(span: Span) -> Release:
    assert span.high is not None, "a prefix ends"
    return span.high


def _canonical(parts: Release) -> Release:
    while parts and parts[-1] == 0:
        parts = parts[:-1]
    return parts


def _holds(outer: Span, inner: Span) -> bool:
    if inner.low < outer.low:
        return False
    return outer.high is None or (inner.high is not None and inner.high <= outer.high)


def _both(first: Iterable[Span], second: tuple[Span, ...]) -> tuple[Span, ...]:
    return _union(_common(one, two) for one in first for two in second)


def _common(one: Span, two: Span) -> Span:
    highs = [span.high for span in (one, two) if span.high is not None]
    return Span(max(one.low, two.low), min(highs, default=None))


def _union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans sorted, those that are empty left out, those that touch as one."""
    return tuple(_merged(sorted((s for s in spans if s.high is None or s.low < s.high), key=lambda span: span.low)))


def _merged(spans: list[Span]) -> Iterator[Span]:
    last: Span | None = None
    for span in spans:
        if last is None or (last.high is not None and last.high < span.low):
            if last is not None:
                yield last
            last = span
        elif last.high is not None and (span.high is None or last.high < span.high):
            last = Span(last.low, span.high)
    if last is not None:
        yield last
