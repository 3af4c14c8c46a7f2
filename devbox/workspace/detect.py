"""`detect`: what a project is made of, and which file and line says so. Runs nothing and writes nothing."""

from dataclasses import dataclass

from devbox.profile.detect import Detection, render
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import look
from devbox.workspace.locate import require_usable


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What was found, and the profile that `init` would write for it."""

    found: Detection
    text: str


def detect_project(host: Host, workspace: Workspace) -> Detected:
    """Return what the project at `workspace` is made of, whether it has a profile or not.

    Raises `UndetectableError` if nothing tells, `ContradictionError` if some files exclude each other.
    """
    require_usable(workspace, host)
    found = look(host, workspace)
    return Detected(found=found, text=render(found))
