"""`devbox up`."""

import typer

from devbox.cli.flags import Locked, RuntimeName, Settings, parse_flags
from devbox.cli.group import invocation_of, verb
from devbox.cli.show_up import show_all


@verb(
    "up",
    examples=(
        ("devbox up", "build what is missing, create it, start it"),
        ("devbox up --json", "the same for a script: changed, instance, image, ports"),
        ("devbox up --locked", "exactly what devbox.lock says, or an error; for CI"),
    ),
    next_step="devbox shell, to be in it; devbox status, to see its ports",
    machines=True,
)
def command(context: typer.Context, *, locked: Locked = False, runtime: RuntimeName = None, settings: Settings) -> None:
    """Make the environment what the profile says.

    Builds what changed, recreates the container if it must, keeps its volumes. With nothing to do it does nothing.

    Of several machines ([machines.NAME]) all come up, the profile's own first; -m NAME: that one alone.
    """
    invocation = invocation_of(context)
    from devbox.workspace.together import up_all

    flags = parse_flags(settings, runtime=runtime)
    show_all(invocation, up_all(invocation.host, invocation.family, flags=flags, strict=locked))
