"""`devbox ssh-proxy`: hidden; what an entry of `devbox ssh-config` names as its ProxyCommand."""

from pathlib import Path
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb


@verb(
    "ssh-proxy",
    examples=(("devbox ssh-proxy -- DIR", "what an entry of devbox ssh-config has as its ProxyCommand"),),
    next_step="devbox ssh-config",
    machines=True,
)
def command(
    context: typer.Context,
    directory: Annotated[str, typer.Argument(metavar="DIR")],
    *,
    up: Annotated[bool, typer.Option("--up", help="Bring the environment up first.")] = False,
    sshd: Annotated[bool, typer.Option("--sshd", help="Let the sshd inside speak.")] = False,
) -> None:
    """Speak SSH on stdin and stdout with the client that started it; DIR is the project."""
    invocation = invocation_of(context)
    invocation.project = Path(directory)
    from devbox.workspace.ssh_proxy import proxy

    proxy(invocation.host, invocation.workspace, up=up, sshd=sshd)
