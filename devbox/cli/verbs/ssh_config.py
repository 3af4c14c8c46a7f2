"""`devbox ssh-config`."""

import sys
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step
from devbox.errors import UsageError
from devbox.workspace.ssh_config import SshEntry, own_command, remove, show, write


@verb(
    "ssh-config",
    examples=(
        ("devbox ssh-config", "print the entry, change nothing of yours"),
        ("devbox ssh-config --write --up", "let ssh, scp, git and editors know it, and a connection bring it up"),
        ("devbox ssh-config --remove", "take it back"),
    ),
    next_step="ssh HOST; devbox code, to open an editor in it",
    machines=True,
)
def command(
    context: typer.Context,
    *,
    write_it: Annotated[
        bool, typer.Option("--write", help="Keep the entry, and include it in ~/.ssh/config by one line.")
    ] = False,
    remove_it: Annotated[
        bool, typer.Option("--remove", help="Take the entry away, and with the last one that line.")
    ] = False,
    host: Annotated[
        str | None, typer.Option("--host", metavar="NAME", help="The Host; default is the profile's name and .devbox.")
    ] = None,
    up: Annotated[
        bool | None,
        typer.Option("--up/--no-up", help="Whether a connection brings the environment up; default is no."),
    ] = None,
) -> None:
    """Print the entry by which plain ssh gets into the environment; no sshd is in it, and no port is opened.

    Only --write touches ~/.ssh/config: one Include line at its top.
    """
    invocation = invocation_of(context)
    if remove_it:
        if write_it or host is not None or up is not None:
            raise UsageError("--remove stands alone", hint="devbox ssh-config --remove")
        changed = remove(invocation.workspace)
        invocation.show({"changed": changed}, ["removed" if changed else "nothing to do"])
        return
    own = own_command(sys.argv[0], sys.executable)
    entry = show(invocation.host, invocation.workspace, command=own, alias=host, up=up)
    if write_it:
        entry = write(invocation.host, invocation.workspace, entry)
    _show(invocation, entry, written=write_it)


def _show(invocation: Invocation, entry: SshEntry, *, written: bool) -> None:
    document = {
        "changed": entry.changed,
        "host": entry.host,
        "user": entry.user,
        "directory": entry.guest_directory,
        "text": entry.text,
        "file": entry.file,
        "include": entry.include,
        "included": entry.included,
    }
    if invocation.json or written:
        invocation.show(document, [f"{entry.host}: written" if entry.changed else "nothing to do"])
    else:
        # A directory's name may hold anything. A file gets it as it is; a person, as it can be shown.
        invocation.terminal.foreign(1, entry.text.encode("utf-8", "surrogateescape"))
    invocation.say(next_step(f"ssh {entry.host}" if entry.included else "devbox ssh-config --write"))
