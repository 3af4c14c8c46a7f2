"""One line about a SyncSession, for the command that ran meanwhile. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbox.values import printable

# What a session says of itself in `state`.
WATCHING: Final = "watching"
PAUSED: Final = "paused"
HALTED: Final = "halted"
DISCONNECTED: Final = "disconnected"


def notice(status: Mapping[str, Any]) -> str:
    """Return what whoever runs a command has to know of `status`; empty if all is well."""
    state, reason = status.get("state"), printable(str(status.get("reason") or ""))
    if state == HALTED:
        return f"sync has stopped and changes nothing: {reason}; devbox sync status says what to do"
    if state == PAUSED:
        return "sync is paused; devbox sync resume"
    if state == DISCONNECTED:
        return f"sync has lost the environment: {reason or 'its agent does not answer'}; devbox sync status"
    said = _conflicts(status.get("conflicts") or ())
    if not status.get("settled", True):
        pending = status.get("pending") or 0
        said = "; ".join(filter(None, (f"sync is not done yet, {pending} paths are on their way", said)))
    return said


def _conflicts(conflicts: Sequence[Mapping[str, Any]]) -> str:
    if not conflicts:
        return ""
    path = printable(str(conflicts[0].get("path")))
    if len(conflicts) == 1:
        return f"sync has a conflict: {path} {conflicts[0].get('why')}; devbox sync conflicts"
    return f"sync has {len(conflicts)} conflicts, the first is {path}; devbox sync conflicts"
