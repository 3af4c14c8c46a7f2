"""The profile that a Workspace has, or that `init` would write for it."""

from collections.abc import Mapping

from devbox import paths
from devbox.profile.load import Loaded, load
from devbox.workspace.context import Host, Workspace


def has_profile(workspace: Workspace) -> bool:
    """Whether the project has a devbox.toml, be it a link that leads nowhere."""
    path = workspace.directory / paths.PROFILE
    return path.is_symlink() or path.exists()


def load_profile(host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None) -> Loaded:
    """Return the effective profile; in a project without one, of what `init` would write (nothing is written).

    Raises `ProfileError` with everything that is wrong in any layer. What the user should know is a warning.
    """
    fallback = None if has_profile(workspace) else suggestion(workspace)
    loaded = load(workspace.directory, environ=host.environ, flags=flags, fallback=fallback)
    for problem in loaded.warnings:
        place = ":".join(str(part) for part in (problem.file, problem.line) if part is not None)
        host.reporter.warn(": ".join(part for part in (place, problem.key, problem.message) if part))
    return loaded


def suggestion(workspace: Workspace) -> str:
    """Return the text that `init` would write."""
    return '[base]\nimage = "debian:12"\n'
