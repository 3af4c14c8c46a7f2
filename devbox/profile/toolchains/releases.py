"""Which versions of toolchains the releases of Debian and Ubuntu hold: questions to the table. Pure.

A version is as full as it is known to stay while the release lives: "3.11.2", or "17" for any 17.x.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from devbox.profile.toolchains.constraint import Constraint
from devbox.profile.toolchains.table import HELD

TOOLS = ("python", "node", "go", "rust", "java", "ruby", "php", "c")
TITLES = {
    "python": "Python",
    "node": "Node.js",
    "go": "Go",
    "rust": "Rust",
    "java": "Java",
    "ruby": "Ruby",
    "php": "PHP",
    "c": "GCC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One version of a tool in a release. `package`: what brings it; `default`: it is the release's own choice."""

    version: str
    package: str
    default: bool


def release_of(distribution: str, version: str) -> str:
    """Return the release as a base names it: "debian:12"; a Debian without a version is sid."""
    return f"{distribution}:{version or 'sid'}"


def held(release: str, tool: str) -> tuple[Held, ...]:
    """Return the versions of `tool` that `release` ("debian:12") holds, its default first; none if it is not known."""
    rows = HELD.get(release, {}).get(tool, ())
    return tuple(Held(version=version, package=package, default=not n) for n, (version, package) in enumerate(rows))


def fitting(release: str, tool: str, wanted: Constraint) -> Held | None:
    """Return what `release` holds that is sure to be `wanted`: its default if that is, else the newest; or None."""
    return next((one for one in held(release, tool) if wanted.allows(one.version)), None)


def known(release: str) -> bool:
    """Whether the table has this release."""
    return release in HELD


def where(tool: str) -> Iterator[tuple[str, Held]]:
    """Yield each release, and each version of `tool` that it holds."""
    for release in HELD:
        for one in held(release, tool):
            yield release, one
