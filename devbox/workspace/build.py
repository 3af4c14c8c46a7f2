"""`build`: make the Image of a Workspace's profile."""

from collections.abc import Mapping
from dataclasses import dataclass

from devbox.workspace.context import Host, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The Image. `run`: names of the steps that had to run; `reused`: how many did not."""

    image: str  # image id
    reference: str  # devbox/<slug>:<12 hex>
    digest: str  # of the Recipe, 64 hex
    run: tuple[str, ...]
    reused: int


def build(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, no_cache: bool = False
) -> BuildResult:
    """Make the Image; `no_cache` runs every step again."""
    raise NotImplementedError
