"""`devbox add`."""

import typer

from devbox.cli.changed import show_change
from devbox.cli.changing import Group, Names
from devbox.cli.group import invocation_of, verb


@verb(
    "add",
    examples=(
        ("devbox add jq", "a package of the base's distribution"),
        ("devbox add --group python 'httpx>=0.27'", "a package of Python, into requirements.txt"),
        ("devbox add jq ripgrep --json", "several; says what was edited"),
    ),
    next_step="git add devbox.toml devbox.lock",
)
def command(context: typer.Context, names: Names, *, group: Group = "system") -> None:
    """Add packages to devbox.toml, to devbox.lock, to the environment, if that runs, and to the image.

    Nothing else is built again. A name that does not exist changes nothing. What runs has them when the command ends;
    the image is made behind, and whatever needs it waits for that.
    """
    invocation = invocation_of(context)
    from devbox.workspace.change import add

    show_change(invocation, add(invocation.host, invocation.workspace, names, group=group), word="added")
