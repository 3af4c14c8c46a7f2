"""Which project a command is about, and which directories may never become an environment."""

from pathlib import Path

from devbox.workspace.context import Host, Workspace


def locate(host: Host, project: Path | None = None) -> Workspace:
    """Return the Workspace of `project`, or of the nearest `devbox.toml` upward from the current directory.

    The search ends at a file-system boundary and at the user's home; without a profile on the way it is the
    current directory. Raises `UsageError` if `project` is no directory. Refuses nothing; see `require_usable`.
    """
    raise NotImplementedError


def require_usable(workspace: Workspace, host: Host) -> None:
    """Raise `ProjectRefusedError` for a directory that must never be mounted (bad input 8); no flag overrides it."""
    raise NotImplementedError
