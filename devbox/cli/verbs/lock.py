"""`devbox lock`."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.errors import UsageError


@verb(
    "lock",
    examples=(
        ("devbox lock", "write devbox.lock, or bring it up to date with the profile"),
        ("devbox lock --check", "exit code 1 if it does not fit, for CI; asks no engine"),
        ("devbox lock --update jq", "look up jq alone again; without a name everything"),
    ),
    next_step="git add devbox.lock; devbox up --locked, to have exactly that",
    machines=True,
)
def command(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether it fits.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Look up again what there is today.")] = False,
    compact: Annotated[bool, typer.Option("--compact", help="Fold what was added bit by bit into one layer.")] = False,
) -> None:
    """Make devbox.lock fit the profile: base, system packages, toolchains and dependencies, each by its hash.

    With --update NAME is a system package or a language, as python; the others stay as they are. Of several machines
    ([machines.NAME]) all are meant, with names the profile's own; -m NAME: that one alone.
    """
    invocation = invocation_of(context)
    _require_sense(names or [], check=check, update=update, compact=compact)
    from devbox.workspace import lock_verb
    from devbox.workspace.several import declared
    from devbox.workspace.together import in_turn

    host, workspace = invocation.host, invocation.workspace
    alone = bool(names) or invocation.machine is not None
    members = (workspace,) if alone else declared(host, workspace)
    if check:
        in_turn(host, members, lambda one: lock_verb.check(host, one))
        invocation.show({"changed": False, "fits": True}, ["devbox.lock fits the profile"])
        return
    if update:
        done = in_turn(host, members, lambda one: lock_verb.update(host, one, names or []))
    else:
        work = lock_verb.compact if compact else lock_verb.lock
        done = in_turn(host, members, lambda one: work(host, one))
    changed, path = any(one.changed for one in done.values()), next(iter(done.values())).path
    run = [step for one in done.values() for step in one.built]
    invocation.show({"changed": changed, "path": path, "run": run}, [f"wrote {path}" if changed else "nothing to do"])
    if changed:
        invocation.say(next_step("devbox up"))


def _require_sense(names: list[str], *, check: bool, update: bool, compact: bool) -> None:
    if check + update + compact > 1:
        raise UsageError("--check, --update and --compact exclude each other", hint="give one of them")
    if names and not update:
        raise UsageError("names go with --update", hint=f"devbox lock --update {' '.join(names)}")
