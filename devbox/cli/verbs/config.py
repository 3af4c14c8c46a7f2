"""`devbox config`."""

from typing import Annotated

import typer

from devbox.cli.flags import Settings, parse_flags
from devbox.cli.group import invocation_of, verb
from devbox.cli.text import Line, Span, table
from devbox.workspace.config import Effective, Explained, config, toml_value


@verb(
    "config",
    examples=(
        ("devbox config", "the effective profile, all layers merged"),
        ("devbox config --explain", "each value with the file and line that set it"),
        ("devbox config --json", "the same for a script"),
    ),
    next_step="devbox up, to make the environment so",
    machines=True,
)
def command(
    context: typer.Context,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Say where each value comes from.")] = False,
    settings: Settings,
) -> None:
    """Show the effective profile: built-in defaults, base profiles, your files, variables and flags merged.

    Checks everything and runs nothing. A mistake is shown with its file, line and what to write instead.
    """
    invocation = invocation_of(context)
    found = config(invocation.host, invocation.workspace, flags=parse_flags(settings))
    document = dict(found.values)
    if explain:
        document["explain"] = {key: value.document() for key, value in found.explained.items()}
    invocation.show(document, _explained(found) if explain else found.toml.rstrip("\n").split("\n"))


def _explained(found: Effective) -> list[Line]:
    return table(
        (f"{key} = {toml_value(one.value)}", Span(f"# {_place(one)}", "dim")) for key, one in found.explained.items()
    )


def _place(one: Explained) -> str:
    if one.file is None:
        return one.source
    place = f"{one.file}:{one.line}" if one.line else one.file
    return place if one.source in (one.file, "user") else f"{one.source} ({place})"
