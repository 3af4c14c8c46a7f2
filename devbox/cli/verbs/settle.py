"""`devbox settle`: hidden; makes the Image behind `add` and `remove`, which have changed what runs already."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb


@verb(
    "settle",
    examples=(("devbox settle --lock 5", "what devbox add starts when it has ended"),),
    next_step="devbox up",
    machines=True,
)
def command(
    context: typer.Context,
    lock: Annotated[int, typer.Option("--lock", metavar="N", help="The descriptor that holds the project.")] = -1,
) -> None:
    """Make the image of what was added to the running environment."""
    invocation = invocation_of(context)
    from devbox.workspace.behind import settle

    settle(invocation.host, invocation.workspace, int(lock))
