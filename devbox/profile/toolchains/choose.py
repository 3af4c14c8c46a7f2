"""Which Debian an environment stands on if its profile does not say: one that holds the versions asked for. Pure.

A stable release that holds all of them goes first, the one that devbox starts from before the others. Then the usual
ones with what npm and the Go module proxy bring, then sid, which moves, and last what a language's own server brings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from devbox.profile.model import Packages
from devbox.profile.toolchains.constraint import Constraint, parse
from devbox.profile.toolchains.releases import TITLES, TOOLS, fitting

BUILT_IN: Final = "debian:12"
_USUAL: Final = (BUILT_IN, "debian:13")
_STABLE: Final = (*_USUAL, "debian:11")
_MOVING: Final = "debian:sid"

# Where a tool is had from, if not from the distribution; `build.toolchains` is who fetches it.
REGISTRIES: Final[Mapping[str, str]] = {"node": "npm", "go": "the Go module proxy"}
SERVERS: Final[Mapping[str, str]] = {"python": "uv", "rust": "rustup"}
_BROUGHT: Final = frozenset(REGISTRIES)
_ANYHOW: Final = _BROUGHT | frozenset(SERVERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A base and why: "java 21"."""

    image: str
    why: str


def asked(packages: Packages) -> dict[str, Constraint]:
    """Return what is asked of each tool's version; not those of which any will do."""
    given = {tool: getattr(packages, tool) for tool in TOOLS}
    found = {tool: parse(part.version) for tool, part in given.items() if part is not None and part.version}
    return {tool: constraint for tool, constraint in found.items() if not constraint.anything}


def choose(packages: Packages) -> Choice | None:
    """Return the base for a profile that names none; None if it is the built-in one.

    None too if no base will do: the build then says what each of them has.
    """
    wanted = asked(packages)
    image = next((image for image, brought in _candidates() if not _lacking(image, wanted) - brought), BUILT_IN)
    if image == BUILT_IN:
        return None
    lacking = sorted(_lacking(BUILT_IN, wanted), key=TOOLS.index)
    decisive = [tool for tool in lacking if _has(image, tool, wanted[tool])]
    return Choice(image=image, why=", ".join(f"{TITLES[tool]} {wanted[tool].text}" for tool in decisive))


def _candidates() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each base with the tools that it need not hold, in the order in which they are preferred."""
    yield from ((image, frozenset()) for image in _STABLE)
    yield from ((image, _BROUGHT) for image in _USUAL)
    yield _MOVING, frozenset()
    yield _MOVING, _BROUGHT
    yield from ((image, _ANYHOW) for image in _STABLE)


def _lacking(image: str, wanted: Mapping[str, Constraint]) -> set[str]:
    return {tool for tool, constraint in wanted.items() if not _has(image, tool, constraint)}


def _has(image: str, tool: str, constraint: Constraint) -> bool:
    return fitting(image, tool, constraint) is not None
