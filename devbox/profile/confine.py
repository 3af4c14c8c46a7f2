"""Paths of a project: where they really lead, and whether that is still in the project."""

from pathlib import Path

from devbox import paths


def real(project: Path, written: str) -> Path:
    """Return where the path `written` in a profile of `project` leads, `~` and all links resolved.

    What does not exist is resolved as far as it does. `ValueError` for a circle of links.
    """
    home = paths.home()
    text = home if written == "~" else written
    text = f"{home}/{written[2:]}" if written.startswith("~/") else text
    try:
        return (project / text).resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError("is a link that leads nowhere; write another path") from error


def is_inside(project: Path, path: Path) -> bool:
    """Whether the real path `path` is the project `project` (a real path) or lies in it."""
    return path.is_relative_to(project)
