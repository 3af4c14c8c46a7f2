"""What stack is this project? Looks at a few well-known files; runs nothing, and a broken file is no error."""

from pathlib import Path

from devbox.profile.detect.node import node
from devbox.profile.detect.python import python
from devbox.profile.detect.render import render, render_for
from devbox.profile.detect.stack import Detection, Evidence, Stack
from devbox.values import slug

__all__ = ["Detection", "Evidence", "Stack", "detect", "render", "render_for"]


def detect(directory: Path) -> Detection:
    """Return what the project in `directory` is made of; without a sign of anything, no stacks."""
    found = (look(directory) for look in (python, node))
    return Detection(name=slug(directory.resolve().name), stacks=tuple(stack for stack in found if stack is not None))
