"""Carry out what `plan` found: remove, create, start; say what the user should know."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from devbox.agent import program
from devbox.errors import UnattachedError
from devbox.interrupts import uninterrupted
from devbox.runtimes.base import Instance, InstanceSpec, Runtime
from devbox.runtimes.container.delivery import architecture
from devbox.runtimes.registry import VM
from devbox.values import LABEL_OWNER, LABEL_ROLE, LABEL_WORKSPACE, ROLE_DATA
from devbox.workspace import mountpoints
from devbox.workspace.context import Host, Workspace
from devbox.workspace.find import require_free_name
from devbox.workspace.leaving import leaving
from devbox.workspace.logs import forget_console, keep_console
from devbox.workspace.plan import Action, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The running Instance, and what was done, in words."""

    instance: Instance
    done: tuple[str, ...]


def apply(
    host: Host, workspace: Workspace, runtime: Runtime, *, spec: InstanceSpec, plan: Plan, actual: Sequence[Instance]
) -> Applied:
    """Carry out `plan`; `actual` are the Instances that it was made from."""
    by_id = {instance.id: instance for instance in actual}
    kept = by_id[plan.keep] if plan.keep else None
    if plan.action is not Action.NONE:
        _have_agent(host, spec)
    with leaving((by_id[gone] for gone in plan.remove), name=spec.name if kept is None else "") as ended:
        if plan.action is Action.NONE:
            assert kept is not None, "a plan without action keeps what is there"
            instance, done = kept, ("removed leftovers",) if plan.remove else ()
        else:
            with host.reporter.step(_title(plan, spec.name)):
                if plan.action is Action.RESTART and kept is not None:
                    kept.stop()
                instance = _started(host, workspace, runtime, spec, kept, ended)
            done = (_in_words(plan),)
    if spec.machine is not None and instance.grow(spec.machine.disk):
        done = (*done, "grew its disk")
    if plan.action is not Action.NONE or plan.remove:
        _remove_superseded(host, workspace, spec)
    return Applied(instance=instance, done=done)


def _have_agent(host: Host, spec: InstanceSpec) -> None:
    """Compile the agent, as a step of its own: from a checkout the first environment waits for it."""
    arch = architecture(host.engine.info.architecture)
    delivered = spec.agent.program and Path(spec.agent.program).exists()
    if not delivered and not program.is_at_hand(arch):
        with host.reporter.step("compile the agent, for all environments to come"):
            program.binary(arch)


def _title(plan: Plan, name: str) -> str:
    title = f"{plan.action.value} {name}"
    return f"{title}: {plan.why}" if plan.why else title


def _in_words(plan: Plan) -> str:
    match plan.action:
        case Action.RECREATE:
            return f"recreated ({plan.why})"
        case Action.CREATE:
            return "created"
        case Action.START:
            return "started"
        case Action.RESTART:
            return f"restarted ({plan.why})"
        case Action.NONE:
            return ""


def _started(
    host: Host,
    workspace: Workspace,
    runtime: Runtime,
    spec: InstanceSpec,
    existing: Instance | None,
    ended: Callable[[], None],
) -> Instance:
    """Start `existing`, or a new Instance if there is none, after `ended`. What does not start is not left.

    Of a machine what its console said is.
    """
    if not is_copy(workspace, spec):
        mountpoints.prepare(workspace, _targets(spec))
    instance = existing
    try:
        if instance is None:
            forget_console(workspace)
            with uninterrupted():
                require_free_name(host, workspace)
                instance = runtime.create(spec)
        ended()
        instance.start()
        if to_own := directories_to_own(workspace, spec):
            instance.own(to_own, spec.user)
    except UnattachedError:
        raise  # it runs, and somebody may yet bring the agent
    except BaseException:
        if existing is None and instance is not None:
            if runtime.name == VM:
                keep_console(workspace, instance)
            instance.remove()
        raise
    return instance


def _targets(spec: InstanceSpec) -> list[str]:
    return [volume.target for volume in spec.volumes] + [share.target for share in spec.shares]


def is_copy(workspace: Workspace, spec: InstanceSpec) -> bool:
    """Whether the project is a copy inside, in a volume of its own, and not mounted. Pure."""
    return any(volume.target == workspace.guest_directory for volume in spec.volumes)


def directories_to_own(workspace: Workspace, spec: InstanceSpec) -> tuple[str, ...]:
    """Return the places of volumes that begin empty, and what an engine has made in a copy on the way to others. Pure.

    Under a mount those on the way are the host's, and stay as they are.
    """
    found = {volume.target for volume in spec.volumes if volume.bare}
    if is_copy(workspace, spec):
        root = PurePosixPath(workspace.guest_directory)
        for target in map(PurePosixPath, _targets(spec)):
            found |= {str(one) for one in target.parents if root in one.parents}
    return tuple(sorted(found))


def _remove_superseded(host: Host, workspace: Workspace, spec: InstanceSpec) -> None:
    """Remove the Workspace's volumes that the new Instance does not use, such as the modules of an older lock file."""
    wanted = {volume.name for volume in spec.volumes}
    labels = {LABEL_OWNER: host.owner, LABEL_WORKSPACE: workspace.hash, LABEL_ROLE: ROLE_DATA}
    for volume in host.engine.volumes(labels):
        if volume.name not in wanted:
            host.engine.remove_volume(volume.name)
