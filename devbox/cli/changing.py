"""What `add` and `remove` share on the command line."""

from typing import TYPE_CHECKING, Annotated

import typer

from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step

if TYPE_CHECKING:
    from devbox.workspace.change import Changed

Names = Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]
Group = Annotated[str, typer.Option("--group", metavar="GROUP", help="system or python.")]


def show_change(invocation: Invocation, changed: "Changed", *, word: str) -> None:
    """Show what was done; `word`: "added"."""
    document = {
        "changed": bool(changed.names),
        "names": list(changed.names),
        "files": list(changed.files),
        "running": changed.live,
    }
    if not changed.names:
        invocation.show(document, ["nothing to do"])
        return
    where = "the image and the running environment" if changed.live else "the image"
    places = ", ".join([*changed.files, "devbox.lock", where])
    invocation.show(document, [f"{word} {', '.join(changed.names)}: {places}"])
    invocation.say(next_step("devbox shell"))
