"""`devbox halt`, alias `stop`."""

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step


@verb(
    "halt",
    examples=(("devbox halt", "stop it"), ("devbox halt --json", "says whether there was something to stop")),
    next_step="devbox up or devbox shell, to go on; devbox destroy, to take it away",
)
@pass_invocation
def command(invocation: Invocation) -> None:
    """Stop the environment; what it holds stays. Nothing to stop is no failure."""
    from devbox.workspace.halt import halt

    changed = halt(invocation.host, invocation.workspace)
    name = invocation.workspace.container_name
    invocation.show({"changed": changed}, [f"{name}: halted" if changed else "nothing to do"])
    if changed:
        invocation.say(next_step("devbox up"))
