"""`devbox init`."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.workspace.init import init


@verb(
    "init",
    examples=(
        ("devbox init", "look at the repo and write what fits"),
        ("devbox init python", "start from a base profile"),
        ("devbox init debian:13", "start from an image"),
    ),
    next_step="devbox shell",
)
def command(
    context: typer.Context,
    base: Annotated[str | None, typer.Argument(metavar="[BASE-PROFILE|IMAGE]")] = None,
) -> None:
    """Write a devbox.toml that fits this repo. Where one exists it is left as it is, with exit code 2."""
    invocation = invocation_of(context)
    written = init(invocation.host, invocation.workspace, base)
    lines = [f"wrote {written.path}", *(f"  {sight}" for sight in written.seen)]
    document = {"changed": True, "path": str(written.path), "seen": list(written.seen), "text": written.text}
    invocation.show(document, lines)
    invocation.say(next_step("devbox shell"))
