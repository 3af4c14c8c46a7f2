"""`devbox halt`, alias `stop`."""

from typing import Annotated

import typer

from devbox.cli.environment import Environment
from devbox.cli.group import verb
from devbox.cli.stopping import stop


@verb(
    "halt",
    examples=(
        ("devbox halt", "stop it"),
        ("devbox halt shop", "another one, wherever you are"),
        ("devbox halt --save", "let a machine go on where it was when it comes up again"),
    ),
    next_step="devbox up or devbox shell, to go on; devbox destroy, to take it away",
    machines=True,
)
def command(
    context: typer.Context,
    environment: Environment = None,
    *,
    save: Annotated[bool, typer.Option("--save", help="Keep what runs in a machine, as devbox suspend does.")] = False,
) -> None:
    """Stop the environment; what it holds stays. Nothing to stop is no failure.

    ENVIRONMENT is one that devbox list shows, by its name, its container's name or its hash; default is the project's.
    """
    stop(context, environment, save=save)
