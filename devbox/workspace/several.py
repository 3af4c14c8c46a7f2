"""The machines of one project: which there are, by its profile and by what is known of those that were made.

The profile itself is one of them, always there. A machine that was made and that the profile does not have any more is
an orphan: it can be stopped, looked at and destroyed by its name, and nothing else.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from devbox import paths, record
from devbox.errors import DevboxError
from devbox.profile.several import DEFAULT, require_name
from devbox.values import LABEL_GROUP, LABEL_MACHINE, LABEL_OWNER
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All machines of a project. `members`: the profile itself first, then in the profile's order, orphans last.

    `orphans`: names of those that the profile does not have.
    """

    members: tuple[Workspace, ...]
    orphans: tuple[str, ...] = ()

    @property
    def declared(self) -> tuple[Workspace, ...]:
        """Those that the profile has."""
        return tuple(one for one in self.members if one.machine not in self.orphans)


def declared(host: Host, workspace: Workspace) -> tuple[Workspace, ...]:
    """Return the machines that the profile has, its own first; asks no engine. An unusable one has none."""
    whole = replace(workspace, machine="")
    return (whole, *(replace(whole, machine=name) for name in _declared(host, whole)))


def family(host: Host, workspace: Workspace) -> Family:
    """Return the machines of the project of `workspace`; where the profile cannot be used, those that were made."""
    whole, *others = declared(host, workspace)
    # Labels are the truth, but where no machine ever was nobody has to wait for an engine to say so.
    made = {*_noted(whole), *_labelled(host, whole)} if others or _file(whole).exists() else set()
    orphans = tuple(sorted(made - {one.machine for one in others}))
    return Family(members=(whole, *others, *(replace(whole, machine=name) for name in orphans)), orphans=orphans)


def member(host: Host, workspace: Workspace, name: str) -> Workspace:
    """Return the machine `name` of the project, an orphan too; `UsageError`, with what was meant, if there is none."""
    if name == DEFAULT:
        return workspace
    whole = replace(workspace, machine="")
    if name not in _noted(whole):
        require_name(name, (one.machine for one in family(host, whole).members[1:]))
    return replace(workspace, machine=name)


def noted(workspace: Workspace) -> tuple[str, ...]:
    """Return the machines of the project that were made on this host, without asking anybody."""
    return _noted(replace(workspace, machine=""))


def note(workspace: Workspace) -> None:
    """Remember that this machine is about to be made; quietly not where nothing can be written, as the Record.

    To be called under the project's lock.
    """
    if workspace.machine:
        _keep(workspace, {*_noted(workspace), workspace.machine})


def forget(workspace: Workspace) -> None:
    """Know that there is nothing of this machine any more; to be called under the project's lock."""
    if workspace.machine:
        _keep(workspace, set(_noted(workspace)) - {workspace.machine})


def alone(workspace: Workspace) -> Family:
    """Return the family of one."""
    return Family(members=(workspace,))


def _declared(host: Host, workspace: Workspace) -> tuple[str, ...]:
    from devbox.workspace.effective import has_profile, read_profile  # lazy: pydantic; what is noted needs none of it

    if not has_profile(workspace):
        return ()
    try:
        return tuple(read_profile(host, replace(workspace, machine="")).members)
    except DevboxError:
        return ()  # whoever needs the profile says what is wrong with it


def _labelled(host: Host, workspace: Workspace) -> set[str]:
    labels = {LABEL_OWNER: host.owner, LABEL_GROUP: workspace.project_hash}
    others = machines(host)
    found = [one.labels for one in host.engine.containers(labels)]
    found += [one.labels for one in host.engine.volumes(labels)]
    found += [one.labels for one in (others.instances(labels) if others else ())]
    return {own[LABEL_MACHINE] for own in found if own.get(LABEL_MACHINE)}


def _file(workspace: Workspace) -> Path:
    return Path(paths.machines_file(workspace.project_hash))


def _noted(workspace: Workspace) -> tuple[str, ...]:
    try:
        return tuple(_file(workspace).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError):
        return ()


def _keep(workspace: Workspace, names: Iterable[str]) -> None:
    wanted = tuple(sorted(names))
    if wanted == _noted(workspace):
        return
    with contextlib.suppress(OSError):
        if wanted:
            record.write_text(str(_file(workspace)), "".join(f"{name}\n" for name in wanted))
        else:
            _file(workspace).unlink(missing_ok=True)
