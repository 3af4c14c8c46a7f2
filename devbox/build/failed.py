"""The state in which a step failed, kept so that `devbox shell --failed` can look into it."""

from devbox.engine.base import Engine, ImageInfo
from devbox.values import LABEL_ROLE, ROLE_FAILED


def failed_reference(repository: str) -> str:
    """Return the name that the failed state of a Workspace's last build has."""
    return f"{repository}:failed"


def failed_image(engine: Engine, repository: str) -> ImageInfo | None:
    """Return the failed state, or None if the last build did not fail."""
    image = engine.image(failed_reference(repository))
    return image if image is not None and image.labels.get(LABEL_ROLE) == ROLE_FAILED else None
