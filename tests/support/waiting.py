"""Waiting for what must come, and no longer than it may take."""

import time
from collections.abc import Callable

_PAUSE = 0.01


def until(condition: Callable[[], object], *, within: float = 60) -> None:
    """Return as soon as `condition` is true; fail the test if it is not so after `within` seconds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"what the test waits for has not come within {within} s"
        time.sleep(_PAUSE)
