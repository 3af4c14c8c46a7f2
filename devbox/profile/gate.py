"""Keys that the schema has and that this version does not carry out: refused, never ignored."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.errors import NotInThisVersionError, Problem
from devbox.profile.layers import Origin
from devbox.profile.load import Loaded
from devbox.values import printable

_OF_A_MACHINE: Final = r"(?:machines\.[^.\[]+\.)?"
# A key, as it begins, to the values that are carried out nevertheless.
_LATER: Final[tuple[tuple[re.Pattern[str], frozenset[object]], ...]] = tuple(
    (re.compile(_OF_A_MACHINE + pattern), frozenset(allowed))
    for pattern, allowed in (
        (r"isolation", ("standard",)),
        (r"provision\[\d+\]\.ansible", ()),
        (r"provision\[\d+\]\.when", ("build", "create")),
        (r"services", ()),
        (r"prod", ()),
        (r"network\.allow", ()),
    )
)


def require_supported(loaded: Loaded) -> None:
    """Raise `NotInThisVersionError` with every key of the profile that a later version will carry out."""
    problems = [_problem(key, origin) for key, origin in later_keys(loaded)]
    if problems:
        count = "one key" if len(problems) == 1 else f"{len(problems)} keys"
        raise NotInThisVersionError(
            f"the profile uses {count} that this version of devbox does not carry out yet",
            problems=problems,
            hint="remove them, or see what the profile says: devbox config --explain",
        )


def later_keys(loaded: Loaded) -> Iterator[tuple[str, Origin]]:
    """Yield each key of a later version that a layer sets; of a table or list that is one, the outermost alone."""
    for key, origin in loaded.origins.items():
        for pattern, allowed in _LATER:
            if pattern.fullmatch(key) and not _asks_nothing(key, origin.value, allowed):
                yield key, origin


def is_carried_out(key: str) -> bool:
    """Whether this version carries out what `key` asks for, whatever its value."""
    return not any(pattern.fullmatch(key) for pattern, _ in _LATER)


def _asks_nothing(key: str, value: object, allowed: frozenset[object]) -> bool:
    if isinstance(value, str):
        return value in allowed
    return value in ([], {}) and not key.startswith("packages.")  # "go = {}" asks for Go


def _problem(key: str, origin: Origin) -> Problem:
    value = f' = "{printable(origin.value)}"' if isinstance(origin.value, str) and len(origin.value) < 40 else ""
    written = printable(origin.key or key)
    where = "" if origin.file else f" (from {origin.source})"
    return Problem(
        message=f"{written.rpartition('.')[2]}{value} is for a later version{where}",
        key=written,
        file=origin.file,
        line=origin.line,
        hint="remove it" if not origin.file else None,
    )
