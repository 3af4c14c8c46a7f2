"""`devbox remove`."""

import typer

from devbox.cli.changed import show_change
from devbox.cli.changing import Group, Names
from devbox.cli.group import invocation_of, verb


@verb(
    "remove",
    examples=(
        ("devbox remove jq", "a package that devbox.toml asks for"),
        ("devbox remove --group python httpx", "a package of Python, out of requirements.txt"),
        ("devbox remove jq --json", "says what was edited"),
    ),
    next_step="git add devbox.toml devbox.lock",
)
def command(context: typer.Context, names: Names, *, group: Group = "system") -> None:
    """Take packages out of devbox.toml, devbox.lock, the image and the environment, if that runs.

    What something else needs stays.
    """
    invocation = invocation_of(context)
    from devbox.workspace.change import remove

    show_change(invocation, remove(invocation.host, invocation.workspace, names, group=group), word="removed")
