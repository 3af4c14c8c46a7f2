"""Toolchains in the version that the profile asks for. Pure."""

from devbox.build.recipe import BaseImage
from devbox.errors import Problem, ToolchainError
from devbox.profile.toolchains import constraint, releases

_DECLARED = {"python": "PYTHON_VERSION", "node": "NODE_VERSION"}  # set by the official images of both


def declared(base: BaseImage, tool: str) -> str | None:
    """Return the exact version of `tool` that the image says it brings, or None."""
    return dict(base.env).get(_DECLARED[tool]) or None


def held(base: BaseImage, tool: str) -> str | None:
    """Return the version of `tool` that an environment on `base` gets, as far as it is known beforehand."""
    found = releases.held(releases.release_of(base.distribution, base.version), tool)
    return declared(base, tool) or (found[0].version if found else None)


def check_version(base: BaseImage, tool: str, want: str | None) -> None:
    """Raise `ToolchainError` if it is known that `base` does not hold version `want` of `tool`."""
    have = held(base, tool)
    if want is None or have is None:
        return
    wanted = constraint.parse(want)
    if wanted.meets(have):
        return
    title = releases.TITLES[tool]
    others = [release for release, one in releases.where(tool) if one.default and wanted.meets(one.version)]
    advice = f'write version = "{have}", or leave it out'
    if others:
        advice += f", or base.image = {others[0]!r}".replace("'", '"')
    message = f"{base.reference} holds {title} {have}, not {want}"
    raise ToolchainError(
        message, hint=advice, problems=[Problem(message=message, key=f"packages.{tool}.version", hint=advice)]
    )
