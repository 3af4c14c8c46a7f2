"""Which versions of Python and Node.js the distributions hold, as data, and what a profile may ask of them. Pure.

Sources: the distributions' own package indexes. What is not listed is found out by the step itself.
"""

from devbox.build.recipe import BaseImage
from devbox.errors import Problem, ToolchainError

_HELD: dict[str, dict[tuple[str, str], str]] = {
    "python": {
        ("debian", "11"): "3.9",
        ("debian", "12"): "3.11",
        ("debian", "13"): "3.13",
        ("ubuntu", "22.04"): "3.10",
        ("ubuntu", "24.04"): "3.12",
    },
    "node": {
        ("debian", "11"): "12",
        ("debian", "12"): "18",
        ("debian", "13"): "20",
        ("ubuntu", "22.04"): "12",
        ("ubuntu", "24.04"): "18",
    },
}
_TITLES = {"python": "Python", "node": "Node.js"}
_DECLARED = {"python": "PYTHON_VERSION", "node": "NODE_VERSION"}  # set by the official images of both


def declared(base: BaseImage, tool: str) -> str | None:
    """Return the exact version of `tool` that the image says it brings, or None."""
    return dict(base.env).get(_DECLARED[tool]) or None


def held(base: BaseImage, tool: str) -> str | None:
    """Return the version of `tool` that an environment on `base` gets, as far as it is known beforehand."""
    return declared(base, tool) or _HELD[tool].get((base.distribution, base.version))


def satisfies(have: str, want: str) -> bool:
    """Whether version `have` can be called `want`: one begins with the parts of the other."""
    ours, theirs = have.split("."), want.removeprefix("v").split(".")
    shared = min(len(ours), len(theirs))
    return ours[:shared] == theirs[:shared]


def check_version(base: BaseImage, tool: str, want: str | None) -> None:
    """Raise `ToolchainError` if it is known that `base` does not hold version `want` of `tool`."""
    have = held(base, tool)
    if want is None or have is None or satisfies(have, want):
        return
    title = _TITLES[tool]
    others = [f"{name}:{version}" for (name, version), other in _HELD[tool].items() if satisfies(other, want)]
    advice = f'write version = "{have}", or leave it out'
    if others:
        advice += f", or base.image = {others[0]!r}".replace("'", '"')
    message = f"{base.reference} holds {title} {have}, not {want}"
    raise ToolchainError(
        message, hint=advice, problems=[Problem(message=message, key=f"packages.{tool}.version", hint=advice)]
    )
