"""`port`: which ports of this host lead inside; one more of them while the Environment runs."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devbox.errors import NotInThisVersionError, UsageError
from devbox.runtimes.base import Instance, PublishedPort
from devbox.supervisor.client import Supervisor
from devbox.supervisor.protocol import Answer, Forward, Wanted
from devbox.values import printable
from devbox.workspace import ports_file
from devbox.workspace.agent import agent_spec
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import running
from devbox.workspace.port_order import Order, parse
from devbox.workspace.ports import NO_PORTS, OTHERWISE, PRIVILEGED, failure, give_again, moved, published
from devbox.workspace.state import locked

_COMMAND: Final = "devbox port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One port, and whether it had to be forwarded for it (or, of one that is removed, whether there was one).

    `others`: of one that is to be removed and is not there, the names of those that are.
    """

    ports: tuple[PublishedPort, ...]
    changed: bool
    others: tuple[str, ...] = ()


def listed(host: Host, workspace: Workspace) -> tuple[PublishedPort, ...]:
    """Return the ports that lead inside; a Supervisor that was lost is started again. `NotRunningError` if stopped."""
    instance = running(host, workspace)
    with locked(host, workspace, _COMMAND):
        return published(_ports(host, workspace, instance))


def forward(host: Host, workspace: Workspace, text: str) -> Shown:
    """Return the port that `text` means (`NAME[:HOST]` or `GUEST[:HOST][/PROTOCOL]`), forwarded if it was not.

    A name alone only looks. What is forwarded here is on 127.0.0.1 and lasts until `halt`.
    """
    order = parse(text)
    instance = running(host, workspace)
    with locked(host, workspace, _COMMAND):
        ports = _ports(host, workspace, instance)
        found = _meant(order, ports)
        if found is not None:
            return Shown(ports=published([found]), changed=False)
        wanted = _wanted(order, ports)
        _require_socket(host, workspace)
        supervisor = host.supervision.start(workspace.hash, instance.spec_digest)
        if any(port.name == wanted.name for port in ports):
            supervisor = _without(host, workspace, supervisor, instance, wanted.name)
        answer = supervisor.forward(wanted)
        ports_file.write(workspace.hash, answer.ports)
    return Shown(ports=published([_had(host, wanted, answer)]), changed=True)


def remove(host: Host, workspace: Workspace, text: str) -> Shown:
    """Forward a port no more that was forwarded at run time; one that is not there is removed already.

    `UsageError` for a declared one, and where another one must have been meant.
    """
    order = parse(text)
    instance = running(host, workspace)
    with locked(host, workspace, _COMMAND):
        ports = _ports(host, workspace, instance)
        found = next((port for port in ports if _is_called(port, order)), None)
        if found is None:
            _require_no_other(order, ports)
            return Shown(ports=(), changed=False, others=tuple(port.name for port in ports))
        if found.declared:
            raise UsageError(
                f"port {printable(found.name)} stands in devbox.toml", hint="take it out there, then run: devbox up"
            )
        supervisor = host.supervision.start(workspace.hash, instance.spec_digest)
        ports_file.write(workspace.hash, supervisor.remove(found.name).ports)
    return Shown(ports=published([found]), changed=True)


def _ports(host: Host, workspace: Workspace, instance: Instance) -> Sequence[Forward]:
    """Return what is relayed; what a Supervisor that was killed has relayed is relayed again."""
    supervisor = host.supervision.find(workspace.hash)
    if supervisor is not None and supervisor.identity == instance.spec_digest:
        return supervisor.ports()
    return give_again(host, workspace, identity=instance.spec_digest)


def _meant(order: Order, ports: Sequence[Forward]) -> Forward | None:
    """Return the port that is there already."""
    for port in ports:
        if order.plain and port.name == order.name:
            return port
        same = port.guest == order.guest and port.protocol == (order.protocol or "tcp")
        if same and order.host in (None, port.wanted):
            return port
    return None


def _wanted(order: Order, ports: Sequence[Forward]) -> Wanted:
    guest, protocol, name = order.guest, order.protocol or "tcp", _name(order)
    if guest is None:
        declared = next((port for port in ports if port.name == order.name), None)
        if declared is None:
            raise _unknown(order.name, ports)
        guest, protocol = declared.guest, declared.protocol
        name = str(guest) if protocol == "tcp" else f"{guest}/{protocol}"
    privileged = order.host is None and guest < PRIVILEGED
    return Wanted(
        name=name,
        guest=guest,
        host=guest if order.host is None else order.host,
        protocol=protocol,
        otherwise=guest + OTHERWISE if privileged else 0,
        declared=False,
    )


def _require_socket(host: Host, workspace: Workspace) -> None:
    if not agent_spec(host, workspace).directory:
        raise NotInThisVersionError(f"{NO_PORTS} yet", hint="devbox shell, or devbox exec -- CMD")


def _name(order: Order) -> str:
    return order.name if order.protocol in (None, "tcp") else f"{order.name}/{order.protocol}"


def _is_called(port: Forward, order: Order) -> bool:
    """Whether it is this one that was named: of 53 and 53/udp each is itself alone."""
    return port.name == _name(order) or (port.name == order.name and port.protocol == order.protocol)


def _require_no_other(order: Order, ports: Sequence[Forward]) -> None:
    """Raise `UsageError` if one that can be removed has this number with the other protocol, or nearly this name.

    A number that is nearly this one is another port: who removes 5173 twice means 5174 neither time.
    """
    names = [port.name for port in ports if not port.declared and port.guest == order.guest]
    if order.guest is None:
        names = difflib.get_close_matches(order.name, [port.name for port in ports], n=1)
    if names:
        raise UsageError(
            f"no port is called {printable(_name(order))}", hint=f"did you mean: devbox port --remove {names[0]}"
        )


def _unknown(name: str, ports: Sequence[Forward]) -> UsageError:
    close = difflib.get_close_matches(name, [port.name for port in ports], n=1)
    hint = f"did you mean: devbox port {close[0]}" if close else "devbox port lists them; a number forwards that port"
    return UsageError(f"no port is called {printable(name)}", hint=hint)


def _without(host: Host, workspace: Workspace, supervisor: Supervisor, instance: Instance, name: str) -> Supervisor:
    """Make room for another port of this name; the Supervisor may have ended for want of any other."""
    if supervisor.remove(name).ports:
        return supervisor
    return host.supervision.start(workspace.hash, instance.spec_digest)


def _had(host: Host, wanted: Wanted, answer: Answer) -> Forward:
    if answer.failed:
        raise failure(answer.failed[0], declared=False)
    port = next(port for port in answer.ports if port.name == wanted.name)
    if port.host != port.wanted and port.wanted:
        host.reporter.note(moved(port, answer.ports))
    return port
