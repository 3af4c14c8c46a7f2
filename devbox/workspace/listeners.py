"""What listens inside, and which port of this host leads to it. Only looks: nothing is ever forwarded from here."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from devbox.agent.protocol import Listener
from devbox.agent.session import ask_listeners
from devbox.errors import AgentError, EngineError, NotRunningError, SupervisorError
from devbox.runtimes.agent import explained
from devbox.runtimes.base import Instance, PublishedPort
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import running
from devbox.workspace.ports import published

PAUSE: Final = 1.0  # seconds between two looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A port inside that somebody listens on. `forward`: the port of this host that leads to it, if one does.

    `reachable`: it is one that a port could lead to, by `command`; others listen on an address of their own.
    """

    port: int
    protocol: str
    addresses: tuple[str, ...]
    uid: int
    reachable: bool
    forward: PublishedPort | None

    @property
    def command(self) -> str:
        """What to type to have it forwarded."""
        return f"devbox port {self.port}" + ("/udp" if self.protocol == "udp" else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs from the last look: what is new or led to otherwise, and what listens no more."""

    now: tuple[Inside, ...]
    gone: tuple[Inside, ...]


def look(host: Host, workspace: Workspace) -> tuple[Inside, ...]:
    """Return what listens inside now, by port; `NotRunningError` if the Environment does not run."""
    return _look(host, workspace, running(host, workspace))


def watch(host: Host, workspace: Workspace) -> Iterator[Change]:
    """Yield what there is, then each change, a second after the other, until the Environment ends."""
    instance = running(host, workspace)
    before = _look(host, workspace, instance)
    yield Change(now=before, gone=())
    while True:
        time.sleep(PAUSE)
        try:
            found = _look(host, workspace, instance)
        except (AgentError, EngineError) as error:
            raise NotRunningError("the environment has ended", detail=error.message, hint="devbox up") from error
        change = difference(before, found)
        if change.now or change.gone:
            yield change
        before = found


def difference(before: Sequence[Inside], found: Sequence[Inside]) -> Change:
    """Return what has changed. Pure."""
    left = {(one.port, one.protocol) for one in found}
    return Change(
        now=tuple(one for one in found if one not in before),
        gone=tuple(one for one in before if (one.port, one.protocol) not in left),
    )


def _look(host: Host, workspace: Workspace, instance: Instance) -> tuple[Inside, ...]:
    with explained(instance.name):
        listeners = ask_listeners(instance.connect(), instance.spec_digest)
    return inside(listeners, _forwards(host, workspace))


def _forwards(host: Host, workspace: Workspace) -> tuple[PublishedPort, ...]:
    supervisor = host.supervision.find(workspace.hash)
    try:
        return published(supervisor.ports()) if supervisor else ()
    except SupervisorError:
        return ()


def inside(listeners: Sequence[Listener], forwards: Sequence[PublishedPort]) -> tuple[Inside, ...]:
    """Return the ports of `listeners`, each once, with what leads to them. Pure."""
    leads = {(port.guest_port, port.protocol): port for port in reversed(forwards)}
    found: dict[tuple[int, str], list[Listener]] = {}
    for one in listeners:
        found.setdefault((one.port, one.protocol), []).append(one)
    return tuple(
        Inside(
            port=port,
            protocol=protocol,
            addresses=tuple(sorted({one.address for one in group})),
            uid=group[0].uid,
            reachable=any(_is_reachable(one.address) for one in group),
            forward=leads.get((port, protocol)),
        )
        for (port, protocol), group in sorted(found.items())
    )


def _is_reachable(address: str) -> bool:
    """Whether `localhost` inside leads to it."""
    parsed = ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return mapped.is_unspecified or str(mapped) in ("127.0.0.1", "::1")
