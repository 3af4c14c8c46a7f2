"""`devbox shell`, alias `ssh`."""

from typing import Annotated

import typer

from devbox.cli.flags import RuntimeName, Settings, parse_flags
from devbox.cli.group import invocation_of, verb


@verb(
    "shell",
    examples=(
        ("devbox shell", "bring it up and be in it"),
        ("devbox shell -- pytest -q", "bring it up, run one command in a login environment"),
        ("devbox shell --failed", "look around in the state in which the build failed"),
    ),
    next_step="leave it with exit or Ctrl-D; it goes on running until devbox halt",
    guest_command=True,
    machines=True,
)
def command(
    context: typer.Context,
    argv: Annotated[list[str], typer.Argument(metavar="[-- CMD [ARG]...]", default_factory=list)],
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Enter the state in which the last build failed.")] = False,
    runtime: RuntimeName = None,
    settings: Settings,
) -> int:
    """Bring the environment up and be in it, or run CMD in a login environment.

    CMD's exit code is passed on; a failure of devbox itself is then 125.
    """
    invocation = invocation_of(context)
    from devbox.workspace.shell import shell

    invocation.guest_command = bool(argv)
    return shell(
        invocation.host, invocation.workspace, argv, flags=parse_flags(settings, runtime=runtime), failed=failed
    )
