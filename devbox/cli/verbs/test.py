"""`devbox test`."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb


@verb(
    "test",
    examples=(
        ("devbox test", "the tests of this project"),
        ("devbox test -- -k login", "with more arguments for the command"),
    ),
    next_step="devbox shell, to look at what failed",
    machines=True,
)
def command(
    context: typer.Context,
    args: Annotated[list[str], typer.Argument(metavar="[-- ARG...]", default_factory=list)],
) -> int:
    """Bring the environment up and run the project's tests in it: the task "test" of the profile.

    Without a devbox.toml it is the command that was detected. Exit codes are those of devbox run.
    """
    invocation = invocation_of(context)
    from devbox.workspace import tasks

    plan = tasks.planned_test(invocation.host, invocation.workspace)
    invocation.guest_command = True
    return tasks.run(invocation.host, invocation.workspace, plan, args)
