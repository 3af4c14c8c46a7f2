"""`halt`: stop the Environment; what it holds stays."""

from devbox.runtimes.base import InstanceState
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import instances
from devbox.workspace.ports import end
from devbox.workspace.state import locked
from devbox.workspace.syncing import leave


def halt(host: Host, workspace: Workspace) -> bool:
    """Stop it; return False if there was nothing to stop."""
    with locked(host, workspace, "devbox halt"):
        leave(host, workspace)
        end(host, workspace)  # its ports go first, so that nobody waits for an answer from what is being stopped
        up = [one for one in instances(host, workspace) if one.state in (InstanceState.RUNNING, InstanceState.BROKEN)]
        for instance in up:
            with host.reporter.step(f"stop {instance.name}"):
                instance.stop()
    return bool(up)
