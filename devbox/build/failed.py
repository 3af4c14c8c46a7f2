"""The state in which a step failed, kept so that `devbox shell --failed` can look into it."""

from devbox.engine.base import Engine, ImageInfo
from devbox.values import LABEL_ROLE, ROLE_FAILED


def failed_reference(repository: str, workspace: str) -> str:
    """Return the name that the failed state of the last build of `workspace` (its hash) has.

    Projects whose directories have the same name share a repository, but not this.
    """
    return f"{repository}:failed-{workspace}"


def failed_image(engine: Engine, repository: str, workspace: str) -> ImageInfo | None:
    """Return the failed state, or None if the last build did not fail."""
    image = engine.image(failed_reference(repository, workspace))
    return image if image is not None and image.labels.get(LABEL_ROLE) == ROLE_FAILED else None
