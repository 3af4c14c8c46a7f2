"""`devbox shell`, alias `ssh`."""

import click

from devbox.cli.flags import parse_flags, set_option
from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation


@verb(
    "shell",
    examples=(
        ("devbox shell", "bring it up and be in it"),
        ("devbox shell -- pytest -q", "bring it up, run one command in a login environment"),
        ("devbox shell --failed", "look around in the state in which the build failed"),
    ),
    next_step="leave it with exit or Ctrl-D; it goes on running until devbox halt",
    guest_command=True,
)
@click.option("--failed", is_flag=True, help="Enter the state in which the last build failed.")
@set_option
@click.argument("argv", metavar="[-- CMD [ARG]...]", nargs=-1, type=click.UNPROCESSED)
@pass_invocation
def command(invocation: Invocation, argv: tuple[str, ...], *, failed: bool, settings: tuple[str, ...]) -> int:
    """Bring the environment up and be in it, or run CMD in a login environment.

    CMD's exit code is passed on; a failure of devbox itself is then 125.
    """
    from devbox.workspace.shell import shell

    invocation.guest_command = bool(argv)
    return shell(invocation.host, invocation.workspace, argv, flags=parse_flags(settings), failed=failed)
