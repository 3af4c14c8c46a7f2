"""`devbox schema`."""

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation


@verb(
    "schema",
    examples=(
        ("devbox schema > devbox.schema.json", "for an editor that wants a file"),
        ("devbox schema --json", "in a document with the version of the command line's contract"),
    ),
    next_step='put "#:schema URL" in the first line of devbox.toml, as devbox init does, and editors complete it',
)
@pass_invocation
def command(invocation: Invocation) -> None:
    """Print the JSON Schema of devbox.toml on stdout."""
    from devbox.profile.schema import schema, schema_text

    if invocation.json:
        invocation.show({"json_schema": schema()}, ())
        return
    invocation.terminal.text(schema_text())
