"""`devbox suspend`."""

import typer

from devbox.cli.environment import Environment
from devbox.cli.group import verb
from devbox.cli.stopping import stop


@verb(
    "suspend",
    examples=(
        ("devbox suspend", "save what runs in the machine, and stop it"),
        ("devbox suspend shop", "another one, wherever you are"),
    ),
    next_step="devbox resume or devbox up, to go on where it was",
    machines=True,
)
def command(context: typer.Context, environment: Environment = None) -> None:
    """Stop a machine (runtime = "vm") and keep what runs in it: its memory goes into a file beside its disk.

    Whoever is connected is cut off; services and what devbox exec -d started go on later. A container cannot be saved.

    ENVIRONMENT is one that devbox list shows, by its name, its container's name or its hash; default is the project's.
    """
    stop(context, environment, save=True)
