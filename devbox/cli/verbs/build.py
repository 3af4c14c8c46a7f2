"""`devbox build`."""

from typing import Annotated

import typer

from devbox.cli.flags import Locked, RuntimeName, Settings, parse_flags
from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step


@verb(
    "build",
    examples=(
        ("devbox build", "run the steps that changed"),
        ("devbox build --no-cache", "run every step again"),
        ("devbox build --json", "image, reference and digest for a script"),
    ),
    next_step="devbox up, to run it; devbox shell --failed, to look at a step that failed",
    machines=True,
)
def command(
    context: typer.Context,
    *,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step again.")] = False,
    locked: Locked = False,
    runtime: RuntimeName = None,
    settings: Settings,
) -> None:
    """Make the image that the profile describes and start nothing."""
    invocation = invocation_of(context)
    from devbox.workspace.build import Wish, build

    result = build(
        invocation.host,
        invocation.workspace,
        flags=parse_flags(settings, runtime=runtime),
        wish=Wish(no_cache=no_cache, locked=locked),
    )
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
