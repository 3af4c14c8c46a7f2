"""What is said where no source has the version asked for: what there is, from where, and what to write. Pure."""

from collections.abc import Sequence

from devbox.build.recipe import BaseImage
from devbox.errors import Problem, ToolchainError
from devbox.profile.toolchains.choose import BUILT_IN
from devbox.profile.toolchains.constraint import Constraint
from devbox.profile.toolchains.releases import TITLES, held, where


def sentence(base: BaseImage, tool: str, wanted: Constraint, versions: Sequence[str]) -> str:
    """Return what `base` has instead: "debian:12 holds Python 3.11.2, not 3.10"."""
    return f"{base.reference} holds {TITLES[tool]} {' and '.join(versions) or 'in no version'}, not {wanted.text}"


def unavailable(base: BaseImage, tool: str, wanted: Constraint, versions: Sequence[str]) -> ToolchainError:
    """Return the error for a version of `tool` that is not to be had on `base`, whose `versions` these are."""
    fitting = [release for release, one in where(tool) if wanted.allows(one.version)]
    fitting.sort(key=lambda release: (release.endswith(":sid"), release != BUILT_IN))
    advice = f'write version = "{versions[0]}", or leave it out' if versions else "leave the version out"
    if fitting:
        advice += f', or write base.image = "{fitting[0]}"'
    message = sentence(base, tool, wanted, versions)
    return ToolchainError(
        message,
        detail=_overview(tool),
        hint=advice,
        problems=[Problem(message=message, key=f"packages.{tool}.version", hint=advice)],
    )


def _overview(tool: str) -> str:
    releases = dict.fromkeys(release for release, _ in where(tool))
    lines = [f"{release}: {', '.join(one.version for one in held(release, tool))}" for release in releases]
    return "\n".join([f"{TITLES[tool]} by distribution:", *lines])
