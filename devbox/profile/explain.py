"""Effective values as plain data, where each came from, and the digest of what an Environment is made from."""

from collections.abc import Iterator, Mapping

from devbox.profile.digest import digest_of
from devbox.profile.layers import Origin
from devbox.profile.linemap import child
from devbox.profile.load import Loaded
from devbox.profile.model import Profile

BUILT_IN = Origin(value=None, source="built-in")


def effective(profile: Profile) -> dict[str, object]:
    """Return every value of the profile as JSON has it; keys that nobody set and that have no default are left out."""
    values: dict[str, object] = profile.model_dump(mode="json", by_alias=True, exclude_none=True)
    return values


def explain(loaded: Loaded) -> dict[str, dict[str, object]]:
    """Return for every effective key `{value, source, file, line}`; list items each have a key of their own."""
    found: dict[str, dict[str, object]] = {}
    for key, value in _leaves(effective(loaded.profile), ""):
        origin = loaded.origins.get(key, BUILT_IN)
        found[key] = {"value": value, "source": origin.source, "file": origin.file, "line": origin.line}
    return found


def digest(profile: Profile) -> str:
    """Return the SHA-256 (64 hex) of the effective values that an Environment is made from: of all but the tasks."""
    return digest_of(effective(profile))


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, child(path, str(key)))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, child(path, index))
    else:
        yield path, value
