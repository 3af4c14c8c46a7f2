"""`devbox untrust`."""

import typer

from devbox.cli.group import invocation_of, verb
from devbox.workspace.trust_verb import untrust


@verb(
    "untrust",
    examples=(
        ("devbox untrust", "take back what devbox trust agreed to"),
        ("devbox untrust && devbox destroy -f", "and take away what was made with it"),
    ),
    next_step="devbox trust, to agree again",
)
def command(context: typer.Context) -> None:
    """Take the agreement of `devbox trust` back; it wins over any older one. What runs already goes on running."""
    invocation = invocation_of(context)
    changed = untrust(invocation.host, invocation.workspace)
    line = f"not trusted any more: {invocation.workspace.directory}" if changed else "nothing to do"
    invocation.show({"changed": changed, "trusted": False}, [line])
