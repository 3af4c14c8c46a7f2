"""`devbox agent-relay`: hidden; what the Supervisor starts to reach an agent whose engine shares no files with it."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb


@verb(
    "agent-relay",
    examples=(("devbox agent-relay -- PATH PID", "lead from a socket at PATH to the agent"),),
    next_step="devbox logs --supervisor",
    machines=True,
)
def command(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH")],
    parent: Annotated[str, typer.Argument(metavar="PID")],
) -> None:
    """Lead every connection to the socket PATH to the environment's agent, until PID ends, which has started this."""
    invocation = invocation_of(context)
    from devbox.workspace.agent_relay import serve

    serve(invocation.host, invocation.workspace, path, parent=int(parent))
