"""`devbox destroy`."""

from typing import TYPE_CHECKING

import click

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step
from devbox.errors import NotConfirmedError

if TYPE_CHECKING:  # to refuse needs nothing of it
    from devbox.workspace.destroy import Destroyed


@verb(
    "destroy",
    examples=(
        ("devbox destroy", "show what goes, ask, remove it"),
        ("devbox destroy -f", "ask nobody"),
    ),
    next_step="devbox prune, to remove images that nothing needs any more",
)
@click.option("-f", "--force", is_flag=True, help="Ask nobody.")
@pass_invocation
def command(invocation: Invocation, *, force: bool) -> None:
    """Remove the environment with its volumes and networks. Your files in the repo and the images stay."""
    if not force and not _agreed(invocation):
        return
    from devbox.workspace.destroy import destroy

    gone = destroy(invocation.host, invocation.workspace)
    lines = [f"removed {line}" for line in _lines(gone)] or ["nothing to do"]
    invocation.show({"changed": not gone.empty, "removed": _document(gone)}, lines)
    if not gone.empty:
        invocation.say(next_step("devbox up"))


def _agreed(invocation: Invocation) -> bool:
    """Ask; without somebody to ask it is a `NotConfirmedError`, whatever there is to remove."""
    if not invocation.interactive:
        raise NotConfirmedError("destroy needs a yes, and there is nobody to ask", hint="devbox destroy -f")
    from devbox.workspace.destroy import survey

    found = survey(invocation.host, invocation.workspace)
    if found.empty:
        invocation.show({"changed": False}, ["nothing to do"])
        return False
    invocation.terminal.say("this removes:")
    for line in _lines(found):
        invocation.terminal.say(f"  {line}")
    if not invocation.terminal.ask("remove it?"):
        raise NotConfirmedError("nothing was removed", hint="devbox destroy, and answer y")
    return True


def _document(found: "Destroyed") -> dict[str, list[str]]:
    return {"containers": list(found.containers), "volumes": list(found.volumes), "networks": list(found.networks)}


def _lines(found: "Destroyed") -> list[str]:
    kinds = (("container", found.containers), ("volume", found.volumes), ("network", found.networks))
    return [f"{kind} {name}" for kind, names in kinds for name in names]
