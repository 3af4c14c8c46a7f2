"""Which runtimes there are, by the name a profile gives them."""

from devbox.engine.base import Engine
from devbox.errors import RuntimeUnavailableError
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.runtimes.base import Runtime
from devbox.runtimes.container.runtime import ContainerRuntime

CONTAINER = "container"
VM = "vm"


def runtime(name: str, *, engine: Engine, processes: Processes, reporter: Reporter) -> Runtime:
    """Return the runtime `name`; `engine` holds the images. `RuntimeUnavailableError` if there is none of this name."""
    if name == CONTAINER:
        return ContainerRuntime(engine)
    if name == VM:
        from devbox.runtimes.vm.boot import Bench  # lazy: who has containers alone needs none of it
        from devbox.runtimes.vm.runtime import VmRuntime

        return VmRuntime(Bench(engine=engine, processes=processes, reporter=reporter))
    raise RuntimeUnavailableError(
        f"there is no runtime {name!r} in this version", hint='write runtime = "container" in devbox.toml'
    )
