"""`devbox build`."""

import click

from devbox.cli.flags import parse_flags, set_option
from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step


@verb(
    "build",
    examples=(
        ("devbox build", "run the steps that changed"),
        ("devbox build --no-cache", "run every step again"),
        ("devbox build --json", "image, reference and digest for a script"),
    ),
    next_step="devbox up, to run it; devbox shell --failed, to look at a step that failed",
)
@click.option("--no-cache", is_flag=True, help="Run every step again.")
@set_option
@pass_invocation
def command(invocation: Invocation, *, no_cache: bool, settings: tuple[str, ...]) -> None:
    """Make the image that the profile describes and start nothing."""
    from devbox.workspace.build import build

    result = build(invocation.host, invocation.workspace, flags=parse_flags(settings), no_cache=no_cache)
    document = {
        "changed": bool(result.run),
        "image": result.image,
        "reference": result.reference,
        "digest": result.digest,
        "run": list(result.run),
        "reused": result.reused,
    }
    total = len(result.run) + result.reused
    done = f"{len(result.run)} of {total} steps run" if result.run else "nothing to do"
    invocation.show(document, [f"{result.reference}: {done}"])
    invocation.say(next_step("devbox up"))
