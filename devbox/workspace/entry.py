"""What the hot path goes by (see `devbox.hot`): worked out with a plan, written into the Record by `up`.

`up` of a kept plan imports this as well, so nothing here may need the profile's model.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devbox import paths
from devbox.agent import client, wire
from devbox.hot import inputs
from devbox.record import pack
from devbox.runtimes.base import Instance, PublishedPort
from devbox.workspace.context import Host, Workspace
from devbox.workspace.signature import Since, settled


@dataclass(frozen=True, slots=True, kw_only=True)
class HotPlan:
    """Fields of the Record that follow from the profile, and the paths of its other two lists."""

    fixed: dict[str, str]
    files: tuple[str, ...]  # what every verb depends on
    inputs: tuple[str, ...]  # what `up` and `shell` depend on beyond that; empty if they have to look in any case


def hot_fields(
    host: Host,
    workspace: Workspace,
    plan: HotPlan | None,
    instance: Instance,
    *,
    ports: Sequence[PublishedPort],
    began: Since,
) -> dict[str, str]:
    """Return the fields of the Record for a running `instance`; none if the hot path may not be taken.

    `ports`: what it has been given. `began`: when the profile and the inputs had not been read yet.
    To be called under the Workspace's lock.
    """
    if plan is None or not settled((*plan.files, *plan.inputs), since=began):
        return {}
    boot = _boot(plan.fixed["socket"], instance.spec_digest)
    if not boot:
        return {}
    return {
        **plan.fixed,
        "boot": boot,
        "around": inputs.around(host.environ, uid=host.uid, gid=host.gid),
        # The ports that were given change under the lock alone, so what is there now is what `ports` says.
        "files": pack(inputs.states((*plan.files, paths.ports_file(workspace.hash)))),
        "inputs": pack(inputs.states(plan.inputs)),
        "ports": pack(text for port in ports for text in _row(port)),
    }


def _boot(socket: str, identity: str) -> str:
    """Return the boot id of the agent that listens at `socket`; empty if it does not answer as it should."""
    if not Path(socket).is_absolute() or not identity:
        return ""
    try:
        with contextlib.closing(client.dial(socket)) as transport:
            answer, _ = client.hello(transport, identity, wire.Decoder())
    except client.AgentError:
        return ""
    return answer.boot


def _row(port: PublishedPort) -> tuple[str, ...]:
    return port.name, port.host, str(port.host_port), str(port.guest_port), port.protocol
