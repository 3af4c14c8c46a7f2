"""What of the host an Environment gets, once the user has agreed to it."""

from devbox.profile.asks import Grants, all_requests, granted, requests
from devbox.profile.load import Loaded
from devbox.profile.trust import TrustStore
from devbox.workspace.context import Host, Workspace
from devbox.workspace.guest_env import from_host
from devbox.workspace.secret_values import SecretValues


def agreed(host: Host, workspace: Workspace, loaded: Loaded) -> Grants:
    """Return what the profile gets of this host; `TrustRequiredError` unless the user agreed to all of the project."""
    items = all_requests(loaded, workspace.directory, environ=host.environ)
    TrustStore(workspace.directory, reporter=host.reporter).require(items)
    return granted(requests(loaded, workspace.directory, environ=host.environ) if loaded.members else items)


def taken_from_host(host: Host, workspace: Workspace, loaded: Loaded) -> dict[str, str]:
    """Return the variables that one process inside gets of the host: `env.from_host` and secrets. Needs trust."""
    profile = loaded.profile
    if not profile.env.from_host and not profile.secrets:
        return {}
    agreed(host, workspace, loaded)
    return from_host(host, profile) | SecretValues(host, workspace, profile.secrets).present()
