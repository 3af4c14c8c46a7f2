"""`init`: write a first profile, whole or not at all, and never over another."""

from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.errors import ProfileExistsError, StateError
from devbox.faults import fault
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile, suggest
from devbox.workspace.files import write_in_project
from devbox.workspace.locate import require_usable


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What `init` wrote. `seen`: what in the repo led to it, in words."""

    path: Path
    text: str
    seen: tuple[str, ...]


def init(host: Host, workspace: Workspace, base: str | None = None) -> Written:
    """Write devbox.toml. `base`: the name of a base profile, or an image; None looks at the repo.

    Raises `ProfileExistsError` where there is one, be it a link that leads nowhere, and leaves it as it is;
    `UndetectableError` and `ContradictionError` where the repo does not say what it needs and `base` is None.
    """
    path = workspace.directory / paths.PROFILE
    if has_profile(workspace):
        raise _exists(path)
    require_usable(workspace, host)
    suggestion = suggest(host, workspace, base)
    _write_new(path, suggestion.text)
    return Written(path=path, text=suggestion.text, seen=suggestion.seen)


def _write_new(path: Path, text: str) -> None:
    try:
        fault("write profile")
        write_in_project(path, text, new=True)
        fault("profile written")
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise StateError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}", hint="make the directory writable for you"
        ) from error


def _exists(path: Path) -> ProfileExistsError:
    return ProfileExistsError(f"{path} exists and is left as it is", hint="edit it, then look at it: devbox config")
