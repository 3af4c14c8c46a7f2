"""`up`: make the Environment what the profile says, and do nothing if it is that already."""

from collections.abc import Mapping
from dataclasses import dataclass

from devbox.runtimes.base import PublishedPort
from devbox.workspace.context import Host, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """What `up` did. `done`: what it did, in words ("created", "started", "rebuilt"), empty for nothing."""

    changed: bool
    done: tuple[str, ...]
    name: str  # the Instance's
    instance: str  # the Instance's id
    image: str  # the Image's id
    ports: tuple[PublishedPort, ...]


def up(host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None) -> UpResult:
    """Bring the Environment up. `flags`: profile keys set on the command line, as `profile.load` takes them."""
    raise NotImplementedError
