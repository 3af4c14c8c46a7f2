"""`devbox resume`."""

import typer

from devbox.cli.environment import Environment, meant
from devbox.cli.group import invocation_of, verb
from devbox.cli.show_up import show_all, show_up


@verb(
    "resume",
    examples=(
        ("devbox resume", "go on where devbox suspend stopped it"),
        ("devbox resume shop", "another one, wherever you are"),
    ),
    next_step="devbox shell, to be in it",
    machines=True,
)
def command(context: typer.Context, environment: Environment = None) -> None:
    """Bring up a machine that was saved: what ran in it goes on, and is told the time.

    devbox up and devbox shell do the same by themselves; this one refuses where nothing is saved. What was saved under
    another QEMU, or on a disk that has changed since, cannot go on: then the machine boots, and devbox says why.

    ENVIRONMENT is one that devbox list shows, by its name, its container's name or its hash; default is the project's.
    """
    invocation = invocation_of(context)
    from devbox.workspace.resume import resume
    from devbox.workspace.together import resume_all

    host, workspace = meant(invocation, environment)
    if environment is None:
        show_all(invocation, resume_all(host, invocation.family))
    else:
        show_up(invocation, resume(host, workspace))
