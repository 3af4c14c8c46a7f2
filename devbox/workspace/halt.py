"""`halt`: stop the Environment; what it holds stays."""

from devbox.workspace.context import Host, Workspace


def halt(host: Host, workspace: Workspace) -> bool:
    """Stop it; return False if there was nothing to stop."""
    raise NotImplementedError
