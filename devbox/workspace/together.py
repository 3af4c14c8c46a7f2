"""`up`, `halt` and the like of all machines of a project: one after another, and each failure is said by name.

The profile itself comes up first and goes last. One that fails keeps none of the others from its turn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from devbox import paths
from devbox.errors import DevboxError, Problem
from devbox.hot.inputs import state
from devbox.profile.several import DEFAULT
from devbox.workspace.context import Host, Workspace
from devbox.workspace.destroy import Destroyed, destroy
from devbox.workspace.find import instances
from devbox.workspace.halt import cannot_be_saved, halt
from devbox.workspace.outcome import UpResult
from devbox.workspace.several import Family
from devbox.workspace.unsynced import require_nothing_unsynced

if TYPE_CHECKING:
    from devbox.workspace.status import EnvironmentStatus

T = TypeVar("T")


def up_all(
    host: Host, family: Family, *, flags: Mapping[str, object] | None = None, strict: bool = False
) -> dict[str, UpResult]:
    """Bring up every machine that the profile has; return what was done by machine, "" for the profile itself.

    An orphan is left alone, and said.
    """
    from devbox.workspace.up import up  # lazy: pydantic, which `halt` and `destroy` need nothing of

    for name in family.orphans:
        host.reporter.warn(f"the profile has no machine {name} any more; take it away: devbox destroy -m {name}")
    seen: dict[str, str] = {}

    def one(workspace: Workspace) -> UpResult:
        result = up(host, workspace, flags=flags, strict=strict)
        seen[workspace.machine] = _lock_file(workspace)
        return result

    results = in_turn(host, family.declared, one)
    for workspace in family.declared:
        if seen[workspace.machine] != _lock_file(workspace):  # a later one wrote it, and the hot path looks at it
            again = up(host, workspace, flags=flags, strict=strict)
            results[workspace.machine] = again if again.changed else results[workspace.machine]
    return results


def resume_all(host: Host, family: Family) -> dict[str, UpResult]:
    """Let go on what is saved of the machines that the profile has; raises as `resume` does if there is nothing."""
    from devbox.workspace.resume import resume  # lazy, as above

    saved = tuple(one for one in family.declared if any(found.saved for found in instances(host, one)))
    return in_turn(host, saved or family.declared[:1], lambda one: resume(host, one))


def status_all(host: Host, family: Family) -> "list[EnvironmentStatus]":
    """Return what there is of every machine, in the family's order. Changes nothing; raises as `status` does."""
    from devbox.workspace.status import status  # lazy, as above

    found = {one.machine: status(host, one) for one in family.members}
    for name in family.orphans:
        found[name] = replace(found[name], orphan=True, stale=False, problems=(_orphaned(name),))
    return list(found.values())


def _orphaned(name: str) -> Problem:
    return Problem(
        message="the profile does not have this machine any more",
        key=f"machines.{name}",
        hint=f"devbox destroy -m {name}",
    )


def halt_all(host: Host, family: Family, *, save: bool = False) -> dict[str, bool]:
    """Stop every machine, orphans too, the profile's own last; return by machine whether it ran.

    `save`: what runs in them goes on later. What cannot be saved is left alone; `UsageError` if that is all there is.
    """
    members = family.members[::-1]
    if save and len(members) > 1:
        members = tuple(one for one in members if _can_be_saved(host, one))
        if not members:
            raise cannot_be_saved(host, family.members[0])
    return in_turn(host, members, lambda one: halt(host, one, save=save))


def destroy_all(host: Host, family: Family, *, force: bool = False) -> dict[str, Destroyed]:
    """Take away every machine, orphans too, the profile's own last; return by machine what was removed.

    Nothing is removed if one of them has work inside that is nowhere else, but with `force`, which saves it.
    """
    if not force:
        for one in family.members:
            require_nothing_unsynced(host, one)
    return in_turn(host, family.members[::-1], lambda one: destroy(host, one, force=force))


def in_turn(host: Host, members: Sequence[Workspace], work: Callable[[Workspace], T]) -> dict[str, T]:
    """Return what `work` does with each of `members`; after all had their turn, the first failure is raised."""
    if len(members) == 1:
        return {members[0].machine: work(members[0])}
    done: dict[str, T] = {}
    failures: dict[str, DevboxError] = {}  # the same for all is said once
    for one in members:
        try:
            done[one.machine] = work(one)
        except DevboxError as error:
            if failures.setdefault(error.message, error) is error:
                named(one, error)
    for number, failure in enumerate(reversed(failures.values()), start=1):
        if number == len(failures):
            raise failure
        host.reporter.warn(f"{failure.code}: {failure.message}")
    return done


def named(workspace: Workspace, error: DevboxError) -> None:
    """Have `error` say of which machine it is."""
    error.message = f"machine {workspace.machine or DEFAULT}: {error.message}"
    error.args = (error.message,)


def _can_be_saved(host: Host, workspace: Workspace) -> bool:
    return any(one.saved is not None for one in instances(host, workspace))


def _lock_file(workspace: Workspace) -> str:
    return state(str(workspace.directory / paths.LOCK))


def merged(found: Mapping[str, Destroyed]) -> Destroyed:
    """Return what was removed of all, in one."""
    whole = Destroyed()
    for one in found.values():
        whole = replace(
            whole,
            containers=(*whole.containers, *one.containers),
            machines=(*whole.machines, *one.machines),
            disks=(*whole.disks, *one.disks),
            snapshots=(*whole.snapshots, *one.snapshots),
            volumes=tuple(dict.fromkeys((*whole.volumes, *one.volumes))),
            networks=tuple(dict.fromkeys((*whole.networks, *one.networks))),
            saved=whole.saved or one.saved,
        )
    return whole
