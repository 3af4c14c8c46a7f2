"""`profiles`: the catalogue of base profiles. Reads what devbox ships, and nothing of a project."""

from dataclasses import dataclass
from difflib import get_close_matches

from devbox.errors import UsageError
from devbox.profile import catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseProfile:
    """One base profile. `summary`: one line; `about`: a paragraph; `text`: its devbox.toml."""

    name: str
    summary: str
    about: str
    text: str


def base_profiles() -> tuple[BaseProfile, ...]:
    """Return the whole catalogue, by name."""
    return tuple(_read(name) for name in catalogue.names())


def base_profile(name: str) -> BaseProfile:
    """Return the base profile `name`; `UsageError` if there is none."""
    known = catalogue.names()
    if name in known:
        return _read(name)
    near = get_close_matches(name.lower(), known, n=1)
    there = f"there are: {', '.join(known)}"
    hint = f"did you mean: devbox profiles {near[0]}; {there}" if near else there
    raise UsageError(f"there is no base profile {name!r}", hint=hint)


def _read(name: str) -> BaseProfile:
    return BaseProfile(
        name=name, summary=catalogue.summary(name), about=catalogue.about(name), text=catalogue.read(name)
    )
