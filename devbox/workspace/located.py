"""Problems of the build and of provision steps get the file and line where the profile asks for what failed."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from devbox.errors import DevboxError, Problem
from devbox.profile.layers import Origin
from devbox.profile.load import Loaded


@contextmanager
def located(loaded: Loaded) -> Iterator[None]:
    """Within, a `DevboxError` that names keys of the profile is given their places."""
    try:
        yield
    except DevboxError as error:
        error.problems = tuple(_placed(problem, loaded.origins) for problem in error.problems)
        raise


def _placed(problem: Problem, origins: Mapping[str, Origin]) -> Problem:
    if problem.file is not None or problem.key is None:
        return problem
    origin = _origin(problem.key, origins)
    return problem if origin is None else replace(problem, file=origin.file, line=origin.line)


def _origin(key: str, origins: Mapping[str, Origin]) -> Origin | None:
    """Return where `key` is set; a table is where its first key is, and a part of a value where the value is."""
    while key:
        if key in origins:
            return origins[key]
        below = [origin for name, origin in origins.items() if name.startswith((f"{key}.", f"{key}["))]
        if below:
            return min(below, key=lambda origin: origin.line or 0)
        key = re.sub(r"(\[[0-9]+\]|\.?[^.\[]*)\Z", "", key)
    return None
