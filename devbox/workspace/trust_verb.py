"""`trust` and `untrust`: what the profile asks of this machine, and the user's word on it."""

from dataclasses import dataclass

from devbox.profile.asks import TrustItem, all_requests
from devbox.profile.trust import TrustStore
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What the profile asks for now. `difference`: lines of a diff from what was agreed to before."""

    items: tuple[TrustItem, ...]
    difference: tuple[str, ...]
    trusted: bool  # exactly these items have been agreed to, or there are none


def review(host: Host, workspace: Workspace) -> Review:
    """Return what there is to agree to; `ProfileError` for what is never allowed. Agrees to nothing."""
    loaded = load_profile(host, workspace)
    items = all_requests(loaded, workspace.directory, environ=host.environ)
    store = TrustStore(workspace.directory, reporter=host.reporter)
    return Review(items=items, difference=tuple(store.difference(items)), trusted=store.trusts(items))


def agree(host: Host, workspace: Workspace, reviewed: Review) -> None:
    """Record the user's agreement to exactly what was reviewed, whatever the profile says by now."""
    TrustStore(workspace.directory, reporter=host.reporter).grant(reviewed.items)


def untrust(host: Host, workspace: Workspace) -> bool:
    """Take the agreement back; return False if there was none. What runs already goes on running."""
    return TrustStore(workspace.directory, reporter=host.reporter).revoke()
