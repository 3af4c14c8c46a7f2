"""What `up` did."""

from dataclasses import dataclass

from devbox.runtimes.base import PublishedPort


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """What `up` did. `done`: what it did, in words ("created", "started", "rebuilt"), empty for nothing."""

    changed: bool
    done: tuple[str, ...]
    name: str  # the Instance's
    instance: str  # the Instance's id
    image: str  # the Image's id
    ports: tuple[PublishedPort, ...]
