"""Whether what runs still has the project's directory, or one that was at its path before.

A mount is of a directory and not of a path. Whoever removes a project and clones it again has another directory, and
what runs goes on in the one that is gone. `up` of a kept plan imports this as well.
"""

from contextlib import closing

from devbox.agent.client import AgentError
from devbox.errors import DevboxError
from devbox.runtimes.base import AgentState, Instance, InstanceState
from devbox.sync.guest import open_guest
from devbox.workspace.context import Host, Workspace


def is_replaced(host: Host, workspace: Workspace, instance: Instance) -> bool:
    """Whether a running Instance has another directory mounted than the project's. What cannot be seen is none."""
    if instance.state is not InstanceState.RUNNING or not host.engine.info.shares_host:
        return False
    if not any(share.target == workspace.guest_directory for share in instance.shares):
        return False
    if instance.agent_state() is not AgentState.ANSWERS:
        return False
    return _inode_inside(workspace, instance) not in (None, workspace.directory.stat().st_ino)


def _inode_inside(workspace: Workspace, instance: Instance) -> int | None:
    """Return the inode of the project's directory as it is seen inside; None if that cannot be known."""
    owner = workspace.directory.stat()
    try:
        transport = instance.connect()
        user = f"{owner.st_uid}:{owner.st_gid}"
        with closing(open_guest(transport, instance.spec_digest, user=user, root=workspace.guest_directory)) as guest:
            return guest.identity.inode
    except (AgentError, DevboxError, OSError):
        return None
