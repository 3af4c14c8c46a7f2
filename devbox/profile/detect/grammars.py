"""How each language's tools write which versions they want, put into the profile's own grammar. Pure.

Each function raises `ValueError`, with words for the user, for what is no version in that grammar.
Sources: PEP 440, npm's semver, Poetry's and Composer's and RubyGems' manuals, Hex's `Version`.
"""

import re
from collections.abc import Callable
from typing import Final

from devbox.profile.toolchains.constraint import Constraint, parse

Grammar = Callable[[str], Constraint]
_NUMBERS: Final = re.compile(r"[vV]?(\d{1,9}(?:\.\d{1,9})*)(?P<rest>(?:\.?[-+a-zA-Z].*)?)\Z")
_SUFFIX: Final = re.compile(
    r"(?<=\d)(?:[-+.]?(?:a|b|c|rc|alpha|beta|pre|preview|dev|post|stable)[.-]?\d*|-0)\b", re.IGNORECASE
)
_STRICT: Final = re.compile(r"(===|==|<=|!=|>(?!=))\s*v?(\d+(?:\.\d+)?)(?=[\s,;|]|\Z)")


def exact(text: str) -> Constraint:
    """Return what a file that names one version means: "3.11" is any 3.11, "3.11.4" that one, "3.12-dev" any 3.12."""
    match = _NUMBERS.match(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()!r} is no version")
    return parse(match[1])


def pep440(text: str) -> Constraint:
    """Return what a specifier of Python's asks for, as ">=3.10,<4,!=3.11.*"; "==3.11" is 3.11.0 alone."""
    strict = _STRICT.sub(lambda match: _of_three(match[1], match[2]), _without_suffix(text))
    if re.search(r"(?<![<>=!~])=(?!=)|\^|~(?!=)", strict):
        raise ValueError(f"{text.strip()!r} is no version specifier of Python's")
    return parse(strict)


def poetry(text: str) -> Constraint:
    """Return what Poetry's constraint asks for: PEP 440's, and "^3.10", "~3.10", "3.*", "||"."""
    return parse(_STRICT.sub(lambda match: _of_three(match[1], match[2]), _without_suffix(text)))


def npm(text: str) -> Constraint:
    """Return what an npm range asks for, as ">=18 <21", "18 || 20", "20.x", "1.2 - 1.4"; nothing is anything."""
    return parse(_without_suffix(text) or "*")


def ruby(text: str) -> Constraint:
    """Return what RubyGems' requirement asks for, as "~> 3.1" or ">= 3.0, < 4"."""
    return parse(_pessimistic(_without_suffix(text)))


def composer(text: str) -> Constraint:
    """Return what Composer's constraint asks for, as "^8.1", "~8.1.2", ">=8.0 <8.4", "8.1.* | 8.2.*"."""
    return parse(_pessimistic(re.sub(r"~(?![>=])\s*", "~>", re.sub(r"@\w+", "", _without_suffix(text)))))


def hex_pm(text: str) -> Constraint:
    """Return what Elixir's requirement asks for, as "~> 1.14" or ">= 1.12.0 and < 2.0.0"."""
    return parse(re.sub(r"\s+or\s+", " || ", re.sub(r"\s+and\s+", ", ", _without_suffix(text))))


def minimum(text: str) -> Constraint:
    """Return `text` and everything newer, as go.mod's `go` and Cargo's `rust-version` mean it."""
    return parse(f">={exact(text).text}")


def java_level(text: str) -> Constraint:
    """Return the releases that can compile for level `text`; "1.8" is 8."""
    return minimum(re.sub(r"\A1\.(?=\d)", "", text.strip()))


def java_exact(text: str) -> Constraint:
    """Return the releases that a file which names one means: "17", "1.8", "temurin-17.0.9+9", "17.0.9-tem"."""
    return exact(re.sub(r"\A1\.(?=\d)", "", re.sub(r"\A[a-z][a-z-]*-(?=\d)", "", text.strip())))


def _without_suffix(text: str) -> str:
    """Return `text` with what stands behind the numbers of a version before or after its release taken off."""
    return _SUFFIX.sub("", text.strip()[:1000])


def _of_three(operator: str, version: str) -> str:
    return f"{operator}{version}{'.0' * (2 - version.count('.'))}"


def _pessimistic(text: str) -> str:
    """Return `text` with "~> 3" as "^3", which the profile's grammar has for it."""
    return re.sub(r"~>\s*(\d+)(?![\d.])", r"^\1", text)
