"""`resume`: what `suspend` saved goes on."""

from devbox.errors import NotRunningError
from devbox.runtimes.base import InstanceState
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import current
from devbox.workspace.halt import cannot_be_saved
from devbox.workspace.outcome import UpResult
from devbox.workspace.up import up


def resume(host: Host, workspace: Workspace) -> UpResult:
    """Do what `up` does, if something is saved or it runs already.

    `UsageError` for what cannot be saved, `NotRunningError` where nothing is saved.
    """
    found = current(host, workspace)
    if found is not None and found.saved is None:
        raise cannot_be_saved(host, workspace)
    if found is None or not (found.saved or found.state is InstanceState.RUNNING):
        was = "there is no environment" if found is None else f"it is {found.state.value}"
        raise NotRunningError(f"nothing of {workspace.shown} is saved: {was}", hint=f"devbox up{workspace.option}")
    return up(host, workspace)
