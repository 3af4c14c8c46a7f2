"""Which project a command is about, and which directories may never become an environment."""

from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import ProjectRefusedError, UsageError
from devbox.hot.place import nearest
from devbox.profile.forbidden import why_forbidden
from devbox.values import printable
from devbox.workspace.context import Host, Workspace

# Directories that hold other things than one project; what lies below them may well be one.
_SHARED: Final = ("/tmp", "/var/tmp", "/home", "/opt", "/srv", "/mnt", "/media", "/Users", "/usr/local", "/workspaces")
# Directories of the system; what lies below them is the system's as well.
_SYSTEM: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/run", "/var/lib")
_EXACT: Final = ("/usr", "/var", "/root")


def locate(host: Host, project: Path | None = None) -> Workspace:
    """Return the Workspace of `project`, or of the nearest `devbox.toml` upward from it or the current directory.

    The search ends at a file-system boundary and at the user's home; without a profile on the way it is the
    directory that it began in. Raises `UsageError` if `project` is no directory. Refuses nothing; see
    `require_usable`.
    """
    start = host.cwd if project is None else host.cwd / project.expanduser()
    try:
        start = start.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        if project is None:
            raise UsageError(
                "the current directory does not exist any more",
                hint="cd into the project, or name it: devbox -C DIR ...",
            ) from error
        raise UsageError(
            f"there is no directory {printable(str(start))}", hint="name an existing one: devbox -C DIR ..."
        ) from error
    if not start.is_dir():
        raise UsageError(f"{printable(str(start))} is no directory", hint="name the project's directory: devbox -C DIR")
    directory = Path(nearest(str(start), str(Path(paths.home()).resolve())))
    return Workspace(directory=directory, name=directory.name)


def require_usable(workspace: Workspace, host: Host) -> None:
    """Raise `ProjectRefusedError` for a directory that must never be mounted (bad input 8); no flag overrides it."""
    directory = workspace.directory
    why = _why_refused(directory, host)
    if why:
        raise ProjectRefusedError(
            f"{printable(str(directory))} cannot be a project: it {why}",
            hint="make a directory of its own for the project, and run devbox there",
        )


def _why_refused(directory: Path, host: Host) -> str | None:
    text = str(directory)
    if text in _SHARED:
        return "is shared by everything that lies in it"
    if text in _EXACT or any(directory.is_relative_to(place) for place in _SYSTEM):
        return "belongs to the system"
    why = why_forbidden(directory, host.environ)
    if why:
        return why
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8, which no engine can be told"
    owner = directory.stat().st_uid
    if owner != host.uid and host.uid != 0:
        return f"belongs to another user (uid {owner})"
    return None
