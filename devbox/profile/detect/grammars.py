"""How each language's tools write which versions they want, read into `Ranges`. Pure.

Each function raises `ValueError`, with words for the user, for what is no version in that grammar.
Sources: PEP 440, npm's semver, Poetry's and Composer's and RubyGems' manuals, Hex's `Version`.
"""

import re
from collections.abc import Callable
from functools import reduce
from typing import Final

from devbox.profile.detect.ranges import ANY, Ranges, after, at_least, below, between, point, prefix

Grammar = Callable[[str], Ranges]
_VERSION: Final = re.compile(r"v?(\d{1,8}(?:\.(?:\d{1,8}|[xX*]))*)(?:\.?[-+]?[0-9A-Za-z][0-9A-Za-z.+-]*)?\Z")
_COMPARISON: Final = re.compile(r"(===|==|~=|~>|!=|<=|>=|<|>|=|\^|~)?\s*(\S*)\Z")
_LONGEST: Final = 300


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that the version `text` begins with; what follows them (rc1, -beta, +build) does not count."""
    match = _VERSION.match(text.strip())
    if not match:
        raise ValueError(f"{text.strip()!r} is no version")
    parts = re.split(r"\.", match[1])
    known = [part for part in parts if part.isdigit()]
    return tuple(int(part) for part in known)


def exact(text: str) -> Ranges:
    """Return the versions that `text` means where a file names one: "3.11" is any 3.11, "3.11.4" that one."""
    return prefix(numbers(text))


def pep440(text: str) -> Ranges:
    """Return what a specifier of Python's asks for, as ">=3.10,<4,!=3.11.*"."""
    return _all_of(re.split(r"\s*,\s*", _checked(text)), _pep440)


def poetry(text: str) -> Ranges:
    """Return what Poetry's constraint asks for: PEP 440's, and "^3.10", "~3.10", "3.*", "||"."""
    return _any_of(
        re.split(r"\s*\|\|?\s*", _checked(text)),
        lambda part: _all_of(re.split(r"\s*,\s*|\s+(?=[<>=!~^])", part), _caret),
    )


def npm(text: str) -> Ranges:
    """Return what an npm range asks for, as ">=18 <21", "18 || 20", "20.x", "1.2 - 1.4"."""
    return _any_of(re.split(r"\s*\|\|\s*", _checked(text, empty=True)), _npm_all)


def ruby(text: str) -> Ranges:
    """Return what RubyGems' requirement asks for, as "~> 3.1" or ">= 3.0, < 4"; a bare version is that one."""
    return _all_of(re.split(r"\s*,\s*", _checked(text)), _ruby)


def composer(text: str) -> Ranges:
    """Return what Composer's constraint asks for, as "^8.1", "~8.1.2", ">=8.0 <8.4", "8.1.* | 8.2.*"."""
    return _any_of(re.split(r"\s*\|\|?\s*", _checked(text)), _composer_all)


def hex_pm(text: str) -> Ranges:
    """Return what Elixir's requirement asks for, as "~> 1.14" or ">= 1.12.0 and < 2.0.0"."""
    return _any_of(re.split(r"\s+or\s+", _checked(text)), lambda part: _all_of(re.split(r"\s+and\s+", part), _ruby))


def minimum(text: str) -> Ranges:
    """Return `text` and everything newer, as go.mod's `go` and Cargo's `rust-version` mean it."""
    return at_least(numbers(text))


def java_level(text: str) -> Ranges:
    """Return the releases that can compile for level `text`; "1.8" is 8."""
    return at_least(numbers(text.strip().removeprefix("1.")))


def java_exact(text: str) -> Ranges:
    """Return the releases that a file which names one means: "17", "1.8", "temurin-17.0.9+9", "17.0.9-tem"."""
    bare = re.sub(r"\A[a-z][a-z-]*-(?=\d)", "", text.strip())
    return prefix(numbers(bare.removeprefix("1.") if re.match(r"1\.\d", bare) else bare.split("-")[0].split("+")[0]))


def _checked(text: str, *, empty: bool = False) -> str:
    """Return `text` if it is short enough to be worth reading."""
    text = text.strip()
    if (not text and not empty) or len(text) > _LONGEST:
        raise ValueError("is no version")
    return text


def _all_of(parts: list[str], read: Grammar) -> Ranges:
    return reduce(lambda left, part: left & read(part), [part for part in parts if part], ANY)


def _any_of(parts: list[str], read: Grammar) -> Ranges:
    return reduce(lambda left, right: left | right, [read(part) for part in parts])


def _split(text: str) -> tuple[str, str]:
    match = _COMPARISON.match(text.strip())
    if not match:
        raise ValueError(f"{text.strip()!r} is no version")
    return match[1] or "", match[2]


def _compare(operator: str, parts: tuple[int, ...]) -> Ranges:
    """Return what the comparisons that all grammars share mean."""
    match operator:
        case ">=":
            return at_least(parts)
        case "<":
            return below(parts)
        case "<=":  # 3.11 and older: every 3.11.x would be older than the next minor
            return below(parts) | prefix(parts)
        case ">":
            return ANY.without(below(parts) | prefix(parts))
        case "!=":
            return ANY.without(prefix(parts))
        case _:
            return prefix(parts)


def _pep440(text: str) -> Ranges:
    operator, version = _split(text)
    parts = numbers(version)
    if operator == "~=":
        if len(parts) < 2:
            raise ValueError(f"{text.strip()!r} is no version; ~= takes two numbers at the least")
        return Ranges(((point(parts), after(parts[:-1])),))
    if operator in ("^", "~", "~>", "="):
        raise ValueError(f"{text.strip()!r} is no version specifier of Python's")
    if operator in (">", "<=", "==", "===", "!=") and not version.endswith(".*"):
        parts = (*parts, 0, 0)[: max(3, len(parts))]  # "==3.11" is 3.11.0 alone
    return _compare(operator, parts)


def _caret(text: str) -> Ranges:
    if text.strip() == "*":
        return ANY
    operator, version = _split(text)
    if operator == "^":
        return _compatible(numbers(version))
    if operator == "~":
        return _tilde(numbers(version))
    return _pep440(text) if operator != "=" else prefix(numbers(version))


def _compatible(parts: tuple[int, ...]) -> Ranges:
    """Return what ^ means: up to the next change of the leftmost number that is not 0."""
    place = next((index for index, number in enumerate(parts) if number), len(parts) - 1)
    return Ranges(((point(parts), after(parts[: place + 1])),))


def _tilde(parts: tuple[int, ...]) -> Ranges:
    """Return what npm's and Poetry's ~ means: up to the next minor, or the next major where one number is given."""
    return Ranges(((point(parts), after(parts[:2])),))


def _pessimistic(parts: tuple[int, ...]) -> Ranges:
    """Return what ~> means: the last number may grow."""
    return Ranges(((point(parts), after(parts[:-1] or parts)),))


def _npm_all(text: str) -> Ranges:
    span = re.fullmatch(r"(\S+)\s+-\s+(\S+)", text)
    if span:
        return at_least(numbers(span[1])) & _compare("<=", numbers(span[2]))
    return _all_of(re.findall(r"(?:[<>=~^]+\s*)?[^\s<>=~^]+", text) if text else [], _npm)


def _npm(text: str) -> Ranges:
    if text.strip() in ("*", "x", "X", ""):
        return ANY
    operator, version = _split(text)
    parts = numbers(version)
    match operator:
        case "^":
            return _compatible(parts)
        case "~" | "~>":
            return _tilde(parts)
        case "~=" | "!=" | "==" | "===":
            raise ValueError(f"{text.strip()!r} is no version range of npm's")
        case _:
            return _compare(operator, parts)


def _ruby(text: str) -> Ranges:
    operator, version = _split(text)
    parts = numbers(version)
    return _pessimistic(parts) if operator == "~>" else _compare(operator, parts)


def _composer_all(text: str) -> Ranges:
    span = re.fullmatch(r"(\S+)\s+-\s+(\S+)", text)
    if span:
        return at_least(numbers(span[1])) & _compare("<=", numbers(span[2]))
    return _all_of(re.split(r"\s*,\s*|\s+(?=[<>=!~^\d*])(?<![<>=!~^]\s)", text), _composer)


def _composer(text: str) -> Ranges:
    if text.strip() in ("*", ""):
        return ANY
    operator, version = _split(text.split("@")[0])
    parts = numbers(version)
    match operator:
        case "^":
            return _compatible(parts)
        case "~":
            return _pessimistic(parts)
        case _:
            return _compare(operator, parts)


__all__ = [
    "ANY",
    "Grammar",
    "Ranges",
    "between",
    "composer",
    "exact",
    "hex_pm",
    "java_exact",
    "java_level",
    "minimum",
    "npm",
    "numbers",
    "pep440",
    "poetry",
    "ruby",
]
