"""The first step on a foreign base: the directory that all later mounts lie below. Pure."""

from devbox.build.recipe import RUN_DIRECTORY, BaseImage, Step
from devbox.build.steps.script import script


def run_directory(base: BaseImage) -> Step | None:
    """Return the step that makes /run/devbox, or None if the base has it.

    If a mount made its own mount point, the point would be committed with the layer; this step has no mounts.
    """
    if base.prepared:
        return None
    lines = [f"mkdir -p {RUN_DIRECTORY}", f"chmod 0700 {RUN_DIRECTORY}"]
    return Step(name="prepare the base", key="base", script=script(base.epoch, lines), network=False, bare=True)
