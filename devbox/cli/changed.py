"""What `add` and `remove` say at their end."""

from typing import TYPE_CHECKING

from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step

if TYPE_CHECKING:
    from devbox.workspace.change import Changed


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
    where = "the running environment; the image follows" if changed.live else "the image"
    places = ", ".join([*changed.files, "devbox.lock", where])
    invocation.show(document, [f"{word} {', '.join(changed.names)}: {places}"])
    invocation.say(next_step("devbox shell"))
