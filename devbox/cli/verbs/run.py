"""`devbox run`."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb


@verb(
    "run",
    examples=(
        ("devbox run lint", "the task lint, after what it needs"),
        ("devbox run test -- -k login", "with more arguments for its command"),
    ),
    next_step="devbox tasks, to see what there is; write one below [tasks] in devbox.toml",
    machines=True,
)
def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    args: Annotated[list[str], typer.Argument(metavar="[-- ARG...]", default_factory=list)],
) -> int:
    """Bring the environment up and run the task NAME in it, in the project's directory.

    What it needs runs first, each once; one that fails ends it. ARGs are added to NAME's own command alone.
    The exit code is that of the command that ran last; a failure of devbox itself, once the task is known, is 125.
    """
    invocation = invocation_of(context)
    from devbox.workspace import tasks

    plan = tasks.planned(invocation.host, invocation.workspace, name)
    invocation.guest_command = True
    return tasks.run(invocation.host, invocation.workspace, plan, args)
