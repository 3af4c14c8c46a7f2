"""`devbox profiles`."""

from dataclasses import asdict
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.text import Span, table
from devbox.workspace.base_profiles import base_profile, base_profiles


@verb(
    "profiles",
    examples=(
        ("devbox profiles", "what there is to extend"),
        ("devbox profiles python", "what one of them says"),
    ),
    next_step='extends = ["python"] in devbox.toml, or devbox init python',
)
def command(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
) -> None:
    """List the base profiles that a profile can extend, or show what NAME says and what it is for."""
    invocation = invocation_of(context)
    if name is None:
        found = base_profiles()
        document = [{"name": one.name, "summary": one.summary} for one in found]
        invocation.show({"profiles": document}, table((Span(one.name, "bold"), one.summary) for one in found))
        return
    shown = base_profile(name)
    about = [(Span(f"# {line}", "dim"),) for line in shown.about.split("\n")]
    invocation.show(asdict(shown), [*about, "", *shown.text.rstrip("\n").split("\n")])
