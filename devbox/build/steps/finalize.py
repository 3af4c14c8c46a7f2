"""The profile's [env], into the image's configuration. Pure."""

from collections.abc import Mapping

from devbox.build.recipe import Step


def variables(values: Mapping[str, str]) -> Step | None:
    """Return the step that sets `values` in the image, or None for none. It has no script: no process runs."""
    if not values:
        return None
    return Step(name="variables", key="env", script="", env=tuple(sorted(values.items())), network=False)
