"""`halt` and `suspend`: stop the Environment; what it holds stays, and what runs in it too, if that is asked."""

from typing import Final

from devbox.errors import UsageError
from devbox.runtimes.base import Instance, InstanceState
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import instances, is_machine
from devbox.workspace.ports import end
from devbox.workspace.state import locked
from devbox.workspace.syncing import leave

_UP: Final = (InstanceState.RUNNING, InstanceState.BROKEN)


def halt(host: Host, workspace: Workspace, *, save: bool = False) -> bool:
    """Stop it; return False if there was nothing to stop.

    `save`: what runs in it goes on at the next `up`; `UsageError` if it is one that cannot be saved, and it runs on.
    """
    with locked(host, workspace, "devbox suspend" if save else "devbox halt"):
        found = instances(host, workspace)
        if save and any(one.saved is None for one in found):
            raise cannot_be_saved(host, workspace)
        leave(host, workspace, found)
        end(host, workspace)  # its ports go first, so that nobody waits for an answer from what is being stopped
        up = [one for one in found if one.state in _UP or (not save and _has_ended_by_itself(host, one))]
        for instance in up:
            with host.reporter.step(f"{'save' if save else 'stop'} {instance.name}"):
                if save:
                    instance.save()
                else:
                    instance.stop()
    return bool(up)


def _has_ended_by_itself(host: Host, instance: Instance) -> bool:
    """Whether it is a machine that should run, and that nobody has stopped to the end."""
    return instance.problem is not None and is_machine(host, instance)


def cannot_be_saved(host: Host, workspace: Workspace) -> UsageError:
    """Return the refusal to save what runs in a container, or in a machine whose memory is not its own alone."""
    if any(is_machine(host, one) for one in instances(host, workspace)):
        return UsageError(
            f"{workspace.shown} shares the project's files live, so what runs in it cannot be saved",
            hint='devbox halt, to stop it; or sync the files: [sync] mode = "two-way"',
        )
    return UsageError(
        f"{workspace.shown} is a container: what runs in it cannot be saved, only that of a machine",
        hint='devbox halt, to stop it; or write runtime = "vm"',
    )
