"""`devbox on-change`: hidden; what the Supervisor starts when files of a rule of `[[sync.on_change]]` changed."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.errors import UsageError


@verb(
    "on-change",
    examples=(("devbox on-change rebuild", "what a rule with do = rebuild comes to"),),
    next_step="devbox logs --supervisor",
    machines=True,
)
def command(
    context: typer.Context,
    deed: Annotated[str, typer.Argument(metavar="rebuild | restart | run")],
    task: Annotated[str | None, typer.Argument(metavar="[TASK]")] = None,
) -> int:
    """Do what a rule of [[sync.on_change]] asks for: rebuild, restart, or run TASK."""
    invocation = invocation_of(context)
    host, workspace = invocation.host, invocation.workspace
    if deed == "run" and task:
        from devbox.workspace import tasks

        return tasks.run(host, workspace, tasks.planned(host, workspace, task), ())
    from devbox.workspace.halt import halt
    from devbox.workspace.up import up

    if deed not in ("rebuild", "restart") or task:
        raise UsageError(f"no rule asks for {deed!r}", hint="devbox logs --supervisor")
    if deed == "restart":
        halt(host, workspace)
    up(host, workspace)
    return 0
