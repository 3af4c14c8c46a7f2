"""`devbox code`."""

import shlex
import sys
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.workspace.code import EDITORS, opening, run
from devbox.workspace.ssh_config import own_command


@verb(
    "code",
    examples=(
        ("devbox code", "bring the environment up and open the editor in it"),
        ("devbox code --editor zed", "another editor than the first that is found"),
        ("devbox code --print", "only print the command that would open it"),
    ),
    next_step="devbox ssh-config, for an editor that devbox does not know",
    machines=True,
)
def command(
    context: typer.Context,
    *,
    editor: Annotated[
        str | None,
        typer.Option("--editor", metavar="NAME", help=f"One of {', '.join(one.name for one in EDITORS)}."),
    ] = None,
    print_it: Annotated[bool, typer.Option("--print", help="Print the command instead of running it.")] = False,
) -> None:
    """Bring the environment up and open an editor of this machine in it, by ssh.

    The editor finds it by ~/.ssh/config. If that does not lead to it yet you are asked, and a yes does what
    devbox ssh-config --write does.
    """
    invocation = invocation_of(context)
    own = own_command(sys.argv[0], sys.executable)
    agree = invocation.terminal.ask if invocation.interactive else None
    opened = opening(invocation.host, invocation.workspace, command=own, editor=editor, agree=agree)
    document = {
        "editor": opened.editor,
        "command": list(opened.argv),
        "host": opened.host,
        "directory": opened.directory,
        "opened": not print_it,
    }
    if print_it:
        invocation.show(document, [shlex.join(opened.argv)])
        return
    run(invocation.host, opened)
    invocation.show(document, [f"{opened.editor}: {opened.host}, {opened.directory}"])
