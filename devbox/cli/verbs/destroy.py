"""`devbox destroy`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from devbox.cli.environment import Environment, meant
from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step
from devbox.errors import NotConfirmedError

if TYPE_CHECKING:  # to refuse needs nothing of it
    from devbox.workspace.context import Host
    from devbox.workspace.destroy import Destroyed
    from devbox.workspace.several import Family


@verb(
    "destroy",
    examples=(
        ("devbox destroy", "show what goes, ask, remove it"),
        ("devbox destroy -f", "ask nobody; what is inside alone goes to an archive"),
        ("devbox destroy shop", "one that devbox list shows, wherever you are"),
    ),
    next_step="devbox prune, to remove images that nothing needs any more",
    machines=True,
)
def command(
    context: typer.Context,
    environment: Environment = None,
    *,
    force: Annotated[bool, typer.Option("-f", "--force", help="Ask nobody; what is inside alone is saved.")] = False,
) -> None:
    """Remove the environment with its volumes and networks. Your files in the repo and the images stay.

    ENVIRONMENT is one that devbox list shows, by its name, its container's name or its hash; default is the project's.
    Its directory may be gone. Of several machines ([machines.NAME]) all go; -m NAME: that one, which the profile need
    not have any more.
    """
    invocation = invocation_of(context)
    if not force and not invocation.interactive:
        again = f"devbox destroy -f {environment}" if environment else "devbox destroy -f"
        raise NotConfirmedError("destroy needs a yes, and there is nobody to ask", hint=again)
    host, workspace = meant(invocation, environment)
    from devbox.workspace.several import alone
    from devbox.workspace.together import destroy_all, merged

    family = invocation.family if environment is None else alone(workspace)
    if not force and not _agreed(invocation, host, family):
        return
    each = destroy_all(host, family, force=force)
    gone = merged(each)
    lines = [f"removed {line}" for line in _lines(gone)] or ["nothing to do"]
    kept = {"saved": gone.saved} if gone.saved else {}
    machines = [_of_machine(name, one) for name, one in reversed(each.items()) if name]
    several = {"machines": machines} if len(family.members) > 1 else {}
    invocation.show({"changed": not gone.empty, "removed": _document(gone), **kept, **several}, lines)
    if not gone.empty:
        invocation.say(next_step("devbox list" if environment else "devbox up"))


def _agreed(invocation: Invocation, host: "Host", family: "Family") -> bool:
    """Show what goes and ask; False if there is nothing to remove."""
    from devbox.workspace.destroy import survey
    from devbox.workspace.together import merged
    from devbox.workspace.unsynced import require_nothing_unsynced

    for one in family.members:
        require_nothing_unsynced(host, one)
    found = merged({one.machine: survey(host, one) for one in family.members})
    if found.empty:
        invocation.show({"changed": False}, ["nothing to do"])
        return False
    invocation.terminal.say("this removes:")
    for line in _lines(found):
        invocation.terminal.say(f"  {line}")
    if not invocation.terminal.ask("remove it?"):
        raise NotConfirmedError("nothing was removed", hint="devbox destroy, and answer y")
    return True


def _of_machine(name: str, found: "Destroyed") -> dict[str, Any]:
    kept = {"saved": found.saved} if found.saved else {}
    return {"machine": name, "changed": not found.empty, "removed": _document(found), **kept}


def _document(found: "Destroyed") -> dict[str, list[str]]:
    return {
        "containers": list(found.containers),
        "machines": list(found.machines),
        "disks": list(found.disks),
        "snapshots": list(found.snapshots),
        "volumes": list(found.volumes),
        "networks": list(found.networks),
    }


def _lines(found: "Destroyed") -> list[str]:
    kinds = (
        ("container", found.containers),
        ("machine", found.machines),
        ("disk", found.disks),
        ("snapshot", found.snapshots),
        ("volume", found.volumes),
        ("network", found.networks),
    )
    return [f"{kind} {name}" for kind, names in kinds for name in names]
