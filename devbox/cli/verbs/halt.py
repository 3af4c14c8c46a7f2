"""`devbox halt`, alias `stop`."""

import typer

from devbox.cli.environment import Environment, meant
from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step


@verb(
    "halt",
    examples=(
        ("devbox halt", "stop it"),
        ("devbox halt shop", "another one, wherever you are"),
        ("devbox halt --json", "says whether there was something to stop"),
    ),
    next_step="devbox up or devbox shell, to go on; devbox destroy, to take it away",
)
def command(context: typer.Context, environment: Environment = None) -> None:
    """Stop the environment; what it holds stays. Nothing to stop is no failure.

    ENVIRONMENT is one that devbox list shows, by its name, its container's name or its hash; default is the project's.
    """
    invocation = invocation_of(context)
    from devbox.workspace.halt import halt

    host, workspace = meant(invocation, environment)
    changed = halt(host, workspace)
    invocation.show({"changed": changed}, [f"{workspace.container_name}: halted" if changed else "nothing to do"])
    if changed:
        invocation.say(next_step(f"devbox destroy {environment}" if environment else "devbox up"))
