"""The check of shared host paths just before they are mounted (S-16)."""

from collections.abc import Sequence
from pathlib import Path

from devbox.errors import PolicyError, ProfileError
from devbox.runtimes.base import Share


def check_sources(shares: Sequence[Share]) -> None:
    """Raise `ProfileError` if a source is gone, `PolicyError` if a symlink has come to stand where it was.

    Whether a source may be shared at all is decided by the policy on the final request.
    """
    for share in shares:
        source = Path(share.source)
        if not source.exists():
            raise ProfileError(
                f"the host path {share.source} that is to be seen at {share.target} does not exist",
                hint="make it again, or take it out of devbox.toml",
            )
        real = source.resolve()
        if real != source:
            raise PolicyError(
                f"the host path {share.source} is now a link to {real}", hint="look at it, then run: devbox up"
            )
