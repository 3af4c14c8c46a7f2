"""`devbox halt`, alias `stop`."""

from typing import Annotated

import typer

from devbox.cli.environment import Environment, meant
from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.cli.show_halt import show_halt


@verb(
    "halt",
    examples=(
        ("devbox halt", "stop it"),
        ("devbox halt shop", "another one, wherever you are"),
        ("devbox halt --save", "let a machine go on where it was when it comes up again"),
    ),
    next_step="devbox up or devbox shell, to go on; devbox destroy, to take it away",
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
    invocation = invocation_of(context)
    from devbox.workspace.halt import halt

    host, workspace = meant(invocation, environment)
    changed = halt(host, workspace, save=save)
    show_halt(invocation, workspace.container_name, changed=changed, saved=save)
    if changed:
        invocation.say(next_step(f"devbox destroy {environment}" if environment else "devbox up"))
