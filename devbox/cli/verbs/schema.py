"""`devbox schema`."""

import typer

from devbox.cli.group import invocation_of, verb


@verb(
    "schema",
    examples=(
        ("devbox schema > devbox.schema.json", "for an editor that wants a file"),
        ("devbox schema --json", "in a document with the version of the command line's contract"),
    ),
    next_step='put "#:schema URL" in the first line of devbox.toml, as devbox init does, and editors complete it',
)
def command(context: typer.Context) -> None:
    """Print the JSON Schema of devbox.toml on stdout."""
    invocation = invocation_of(context)
    from devbox.profile.schema import schema, schema_text

    if invocation.json:
        invocation.show({"json_schema": schema()}, ())
        return
    invocation.terminal.text(schema_text())
