"""`devbox init`."""

import click

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
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
@click.argument("base", metavar="[BASE-PROFILE|IMAGE]", required=False)
@pass_invocation
def command(invocation: Invocation, base: str | None) -> None:
    """Write a devbox.toml that fits this repo. Where one exists it is left as it is, with exit code 2."""
    written = init(invocation.host, invocation.workspace, base)
    lines = [f"wrote {written.path}", *(f"  {sight}" for sight in written.seen)]
    document = {"changed": True, "path": str(written.path), "seen": list(written.seen), "text": written.text}
    invocation.show(document, lines)
    invocation.say(next_step("devbox shell"))
