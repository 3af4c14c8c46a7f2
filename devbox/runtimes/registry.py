"""Which runtimes there are, by the name a profile gives them."""

from devbox.engine.base import Engine
from devbox.errors import RuntimeUnavailableError
from devbox.runtimes.base import Runtime
from devbox.runtimes.container.runtime import ContainerRuntime


def runtime(name: str, *, engine: Engine) -> Runtime:
    """Return the runtime `name`, over `engine` where it needs one; `RuntimeUnavailableError` if there is none."""
    if name == "container":
        return ContainerRuntime(engine)
    raise RuntimeUnavailableError(
        f"there is no runtime {name!r} in this version", hint='write runtime = "container" in devbox.toml'
    )
