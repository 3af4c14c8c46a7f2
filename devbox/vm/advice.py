"""What to do about a machine that does not come up, where what QEMU or its kernel said tells it. Pure."""

import re
from typing import Final

CONSOLE: Final = "read all that it said: devbox logs --console"
_ADVICE: Final = (
    (
        re.compile(r"deadlocked on memory|Out of memory and no killable|not enough memory|write error"),
        "give the machine more memory: resources.memory in devbox.toml",
    ),
    (
        re.compile(r"[Cc]annot allocate memory|cannot set up guest memory"),
        "this host cannot give it so much now: set resources.memory in devbox.toml to less, or end other things",
    ),
    (
        re.compile(r"No space left on device|there is no room left"),
        "make room on that disk of this host, and run it again",
    ),
)


def advice(said: str) -> str | None:
    """Return what to do about a machine of which `said` is told; None if that says nothing to go by."""
    return next((what for pattern, what in _ADVICE if pattern.search(said)), None)
