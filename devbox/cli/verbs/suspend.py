"""`devbox suspend`."""

import typer

from devbox.cli.environment import Environment, meant
from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.cli.show_halt import show_halt


@verb(
    "suspend",
    examples=(
        ("devbox suspend", "save what runs in the machine, and stop it"),
        ("devbox suspend shop", "another one, wherever you are"),
    ),
    next_step="devbox resume or devbox up, to go on where it was",
)
def command(context: typer.Context, environment: Environment = None) -> None:
    """Stop a machine (runtime = "vm") and keep what runs in it: its memory goes into a file beside its disk.

    Whoever is connected is cut off; services and what devbox exec -d started go on later. A container cannot be saved.

    ENVIRONMENT is one that devbox list shows, by its name, its container's name or its hash; default is the project's.
    """
    invocation = invocation_of(context)
    from devbox.workspace.halt import halt

    host, workspace = meant(invocation, environment)
    changed = halt(host, workspace, save=True)
    show_halt(invocation, workspace.container_name, changed=changed, saved=True)
    if changed:
        invocation.say(next_step(f"devbox resume {environment}" if environment else "devbox resume"))
