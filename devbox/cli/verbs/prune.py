"""`devbox prune`."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.values import format_size


@verb(
    "prune",
    examples=(
        ("devbox prune --dry-run", "say what would go"),
        ("devbox prune", "remove it"),
    ),
    next_step="devbox list, to see the environments that are left",
)
def command(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove what devbox made and no environment of yours needs: images, step containers, volumes, networks.

    Also, on this machine, the agents of older versions of devbox and the disks that no virtual machine stands on.
    """
    invocation = invocation_of(context)
    from devbox.workspace.prune import prune

    gone = prune(invocation.host, dry_run=dry_run)
    kinds = (
        ("image", gone.images),
        ("container", gone.containers),
        ("volume", gone.volumes),
        ("network", gone.networks),
        ("agent", gone.agents),
        ("disk", gone.disks),
    )
    document = {f"{kind}s": list(names) for kind, names in kinds}
    word = "would remove" if dry_run else "removed"
    lines = [f"{word} {kind} {name}" for kind, names in kinds for name in names]
    if lines:
        lines.append(f"{word} at most {format_size(gone.bytes)} of image layers and disks")
    changed = bool(lines) and not dry_run
    invocation.show(
        {"changed": changed, "dry_run": dry_run, "removed": document, "bytes": gone.bytes}, lines or ["nothing to do"]
    )
    if lines and dry_run:
        invocation.say(next_step("devbox prune"))
