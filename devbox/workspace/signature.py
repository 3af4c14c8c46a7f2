"""Whether anything that a plan was made from has changed since: the inputs' state on disk, and what is around them."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devbox.hot import inputs

_MARGIN: Final = 50_000_000  # nanoseconds; two changes within the file system's clock tick look like one


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """When a command began, in nanoseconds of the system's clock, and what it has itself written since, by path."""

    at: int
    written: Mapping[str, str] = field(default_factory=dict)


def settled(files: Iterable[str], *, since: Since) -> bool:
    """Whether nobody else has changed one of `files` since the command began, or just before.

    Only then is their state now the one in which they were read, or written.
    """
    return all(inputs.changed_at(name) < since.at - _MARGIN or _is_ours(name, since) for name in files)


def _is_ours(name: str, since: Since) -> bool:
    """Whether a file holds what we wrote, and whoever changes it from now on gives it another time.

    For that the file system's clock has to go on first: at most `_MARGIN` is waited for.
    """
    if name not in since.written:
        return False
    early = inputs.changed_at(name) + _MARGIN - time.time_ns()
    if 0 <= early <= _MARGIN:
        time.sleep((early + 1) / 1e9)
    try:
        still = Path(name).read_text(encoding="utf-8") == since.written[name]
    except (OSError, UnicodeDecodeError):
        return False
    return still and inputs.changed_at(name) < time.time_ns() - _MARGIN
