"""The ports of an Environment: what the Supervisor has of those that are wanted, and what is said about it.

`up` of a kept plan imports this as well, so nothing here may need the profile's model.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from devbox.errors import DevboxError, PortDeniedError, PortTakenError, Problem, SupervisorError
from devbox.runtimes.base import PublishedPort
from devbox.runtimes.holder import holder
from devbox.supervisor.binding import SPAN
from devbox.supervisor.protocol import DENIED, LOOPBACK, TAKEN, Failed, Forward, Wanted
from devbox.values import printable
from devbox.workspace import ports_file
from devbox.workspace.context import Host, Workspace

PRIVILEGED: Final = 1024  # ports below are root's on most hosts
OTHERWISE: Final = 8000  # added to such a port where nobody asked for the very same number
# The Supervisor knows the agent's socket alone, and has no engine.
NO_PORTS: Final = "no port leads into an environment whose engine sees other files than this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The ports that answer, and what had to be done for it, in words."""

    ports: tuple[PublishedPort, ...]
    done: tuple[str, ...] = ()


def give(host: Host, workspace: Workspace, wanted: Sequence[Wanted], *, identity: str) -> Given:
    """Have `wanted` relayed to the running Environment `identity`, and say which port moved, once.

    To be called under the Workspace's lock. Ports that were asked for at run time stay, or come back if their
    Supervisor was lost. Raises `PortTakenError` or `PortDeniedError` for the first port that cannot be had, when
    the others are.
    """
    kept = ports_file.read(workspace.hash)
    extra = [port for port in kept if not port.declared]
    before = host.supervision.find(workspace.hash)
    if not wanted and not extra and before is None and not host.supervision.alive(workspace.hash):
        ports_file.write(workspace.hash, ())
        return Given(ports=())
    supervisor = host.supervision.start(workspace.hash, identity)
    known = () if before is None or before.pid != supervisor.pid else before.ports()
    fresh = not known and bool(kept or before is None)  # one that only syncs until now has lost nothing else
    again = [_again(port) for port in extra] if fresh else []
    failed: list[Failed] = []
    for port in again:  # first, since a Supervisor without any port ends
        failed += supervisor.forward(port).failed
    answer = supervisor.declare([_as_before(one, kept) for one in wanted])
    _keep(workspace, answer.ports)
    _say_moved(host, answer.ports, kept)
    for lost in answer.failed:
        raise failure(lost)
    for lost in failed:
        raise failure(lost, declared=False)
    return Given(ports=published(answer.ports), done=_in_words(answer.ports, known, kept, fresh=fresh))


def give_again(host: Host, workspace: Workspace, *, identity: str) -> tuple[Forward, ...]:
    """Have the ports relayed that a lost Supervisor had, and return all there are; nothing is made for none.

    What others could reach is left to `up`, which asks whether it is still agreed to.
    """
    kept = [port for port in ports_file.read(workspace.hash) if port.address == LOOPBACK]
    if not kept:
        return ()
    supervisor = host.supervision.start(workspace.hash, identity)
    for port in kept:
        supervisor.forward(_again(port))
    return supervisor.ports()


def _again(port: Forward) -> Wanted:
    return Wanted(
        name=port.name,
        guest=port.guest,
        host=port.wanted,
        protocol=port.protocol,
        address=port.address,
        kept=port.host,
        declared=port.declared,
    )


def _as_before(wanted: Wanted, kept: Sequence[Forward]) -> Wanted:
    """Return `wanted` with the port that it had the last time, if that is one which could be found for it now."""
    same = (wanted.name, wanted.host, wanted.protocol)
    had = (port.host for port in kept if (port.name, port.wanted, port.protocol) == same)
    host = next(had, 0)
    found = not wanted.host or any(0 <= host - first < SPAN for first in (wanted.host, wanted.otherwise) if first)
    return replace(wanted, kept=host if found else 0)


def _keep(workspace: Workspace, ports: Sequence[Forward]) -> None:
    ports_file.write(workspace.hash, ports)


def _say_moved(host: Host, ports: Sequence[Forward], kept: Sequence[Forward]) -> None:
    told = {(port.name, port.wanted, port.host) for port in kept}
    for port in ports:
        if port.host != port.wanted and (port.name, port.wanted, port.host) not in told:
            host.reporter.note(moved(port, ports))


def moved(port: Forward, ports: Sequence[Forward]) -> str:
    """Return a sentence about a port, one of the Environment's `ports`, that is not the wanted one."""
    where = f"port {port.name} answers on {port.address}:{port.host}"
    if not port.wanted:
        return where
    if port.wanted < PRIVILEGED <= port.host and port.host >= port.wanted + OTHERWISE:
        return f"{where}, since this host does not let you have {port.wanted}"
    own = (other.name for other in ports if (other.host, other.protocol) == (port.wanted, port.protocol))
    name = next(own, "")
    who = f"this environment's own port {name}" if name else holder(port.wanted, port.protocol)
    by = f" by {printable(who)}" if who else ""
    return f"{where}, since {port.wanted} is taken on this host{by}"


def failure(failed: Failed, *, declared: bool = True) -> DevboxError:
    """Return the error for a port that cannot be had, with where to ask for another one."""
    name, port = printable(failed.name), failed.host
    other = f"give ports.{name} another host port in devbox.toml" if declared else f"name another: devbox port {name}:"
    if failed.reason == TAKEN:
        span = f" from {port} to {min(port + SPAN, 65536) - 1}" if port else ""
        hint = f"{other}, or 0 for any" if declared else f"let any be taken: devbox port {name}:0"
        return PortTakenError(f"port {name!r}: all ports of this host{span} are taken", hint=hint)
    message = f"port {name!r}: this host does not let you listen on port {port}"
    number = port + OTHERWISE if port < PRIVILEGED else 0
    hint = f"{other}, as host = {number}" if declared else f"{other}{number}"
    if failed.reason == DENIED and port < PRIVILEGED:
        hint = f"ports below {PRIVILEGED} are root's; {hint}"
    return PortDeniedError(message, detail=failed.detail or None, hint=hint)


def _in_words(
    ports: Sequence[Forward], known: Sequence[Forward], kept: Sequence[Forward], *, fresh: bool
) -> tuple[str, ...]:
    if not fresh:
        return ("ports changed",) if set(ports) != set(known) else ()
    return ("ports answer again",) if set(ports) == set(kept) else ("ports changed",)


def end(host: Host, workspace: Workspace, *, forget: bool = False) -> None:
    """End the Supervisor with all its ports. The declared ones are kept for the next time, unless `forget`."""
    host.supervision.end(workspace.hash)
    if forget:
        ports_file.forget(workspace.hash)
        return
    kept = ports_file.read(workspace.hash)
    _keep(workspace, [port for port in kept if port.declared])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The ports of an Environment, and what is wrong with them."""

    ports: tuple[PublishedPort, ...]
    problems: tuple[Problem, ...] = ()


def reported(host: Host, path_hash: str, *, running: bool) -> Reported:
    """Return the ports as they are, or, of an Environment that does not run, as they were the last time."""
    kept = ports_file.read(path_hash)
    if not running:
        return Reported(ports=published(port for port in kept if port.declared))
    supervisor = host.supervision.find(path_hash)
    with suppress(SupervisorError):  # it has ended in this moment
        if supervisor is not None:
            return Reported(ports=published(supervisor.ports()))
    if not kept:
        return Reported(ports=())
    why = "is of another devbox" if host.supervision.alive(path_hash) else "has ended"
    problem = Problem(message=f"its ports may not answer: the supervisor {why}", key="ports", hint="devbox up")
    return Reported(ports=published(kept), problems=(problem,))


def published(ports: Iterable[Forward]) -> tuple[PublishedPort, ...]:
    """Return `ports` as everybody else has them."""
    return tuple(
        PublishedPort(
            name=port.name,
            host=port.address,
            host_port=port.host,
            guest_port=port.guest,
            protocol=port.protocol,
        )
        for port in ports
    )
