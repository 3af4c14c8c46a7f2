"""`up`: make the Environment what the profile says, and do nothing if it is that already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devbox.build.provision import create_steps
from devbox.profile.confine import real
from devbox.profile.explain import digest
from devbox.profile.load import Loaded
from devbox.runtimes.base import Instance, InstanceSpec, PublishedPort
from devbox.supervisor.protocol import Wanted
from devbox.values import GuestUser
from devbox.workspace import several
from devbox.workspace.agent import agent_spec
from devbox.workspace.ahead import ahead
from devbox.workspace.apply import Applied, apply
from devbox.workspace.base_disk import place
from devbox.workspace.build import Made, Wish, make_image
from devbox.workspace.certificates import certificates
from devbox.workspace.checked import Checked, checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.entry import hot_fields
from devbox.workspace.find import instances
from devbox.workspace.located import located
from devbox.workspace.locks import lock_digest, platform_digest
from devbox.workspace.outcome import UpResult
from devbox.workspace.plan import Action, adoption, brought, reconcile, seen
from devbox.workspace.ports import NO_PORTS, Given, give
from devbox.workspace.prepared import candidates, now
from devbox.workspace.preparing import Kept, keep
from devbox.workspace.private_network import join, private_address
from devbox.workspace.provision import pending, provision
from devbox.workspace.replaced import is_replaced
from devbox.workspace.signature import Since
from devbox.workspace.spec import Facts, instance_spec, machine_options, wanted_ports
from devbox.workspace.state import State, locked
from devbox.workspace.sync_order import MOUNT, sync_order
from devbox.workspace.syncing import Synced, begin, is_synced, leave
from devbox.workspace.trusted import taken_from_host

__all__ = ["Ready", "UnfitError", "UpResult", "bring_up", "spec_of", "up"]


class UnfitError(Exception):
    """What runs would have to be changed, and was not to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A running Environment, and what it took to have it."""

    instance: Instance
    loaded: Loaded
    user: GuestUser
    done: tuple[str, ...]
    ports: tuple[PublishedPort, ...]
    synced: Synced


def up(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, strict: bool = False
) -> UpResult:
    """Bring the Environment up. `flags`: profile keys set on the command line, as `profile.load` takes them.

    `strict`: exactly as devbox.lock has it; `LockStaleError` or `LockGoneError` where that cannot be.
    """
    ready = bring_up(host, workspace, flags=flags, command="devbox up", strict=strict)
    return UpResult(
        changed=bool(ready.done),
        done=ready.done,
        name=ready.instance.name,
        instance=ready.instance.id,
        image=ready.instance.image,
        ports=ready.ports,
    )


def bring_up(
    host: Host,
    workspace: Workspace,
    *,
    flags: Mapping[str, object] | None,
    command: str,
    strict: bool = False,
    editing: bool = False,
    settling: int | None = None,
) -> Ready:
    """Make the Environment run and fit its profile: look, plan the difference, act; safe to repeat at any point.

    `editing`: see `Wish`. `settling`: the descriptor by which the Workspace is held already, see `workspace.behind`;
    what runs is left as it is, and `UnfitError` raised where it would have to be changed.
    """
    started = now()
    order = checked(host, workspace, flags=flags)
    with located(order.loaded), locked(host, workspace, command, held=settling) as state:
        known = state.read()  # one of a newer devbox ends it here
        actual = instances(host, workspace)
        standing = tuple(one.image for one in actual)
        made = make_image(host, workspace, order, Wish(locked=strict, standing=standing, editing=editing))
        spec = spec_of(host, workspace, order, made)
        if known is not None and actual:
            known = brought(spec, actual[0], known, lock=platform_digest(made.platform))
        bases = ahead(_bases(host, order))
        applied = _applied(host, workspace, order, spec, known, actual, settling=settling is not None)
        files = sync_order(order.loaded, workspace, spec, mode=order.mode)
        synced = begin(host, workspace, files, identity=applied.instance.spec_digest)
        join(host, workspace, order.loaded, spec, applied.instance)
        missing = _provisioned(host, workspace, order, made, applied.instance)
        wanted = wanted_ports(order.loaded.profile, order.grants)
        given = _ports(host, workspace, wanted, spec, applied.instance)
        # What is set on the command line holds for this once; no later command may go by it.
        began = Since(at=started, written=made.written)
        kept = Kept(spec=spec, ports=wanted, sync=files, bases=bases)
        hot = None if flags else keep(host, workspace, order.loaded, made, kept, began=began)
        fields = hot_fields(host, workspace, hot, applied.instance, ports=given.ports, began=began)
        _remember(state, host, order.loaded, spec, applied.instance, fields)
    built = (f"built {_steps(len(made.built.run))}",) if made.built.run else ()
    ran = (f"provisioned {_steps(missing)}",) if missing else ()
    done = (*built, *(applied.done or (*synced.done, *given.done)), *ran)
    return Ready(
        instance=applied.instance, loaded=order.loaded, user=made.user, done=done, ports=given.ports, synced=synced
    )


def _bases(host: Host, order: Checked) -> Callable[[], tuple[str, ...]]:
    image = order.loaded.profile.base.image
    return lambda: candidates(host.engine, image) if image else ()


def _applied(
    host: Host,
    workspace: Workspace,
    order: Checked,
    spec: InstanceSpec,
    known: dict[str, str] | None,
    actual: Sequence[Instance],
    *,
    settling: bool,
) -> Applied:
    """Have one running Instance of `spec`; what is to go is asked before for files that are inside alone."""
    plan = reconcile(spec, [seen(one, known, replaced=is_replaced(host, workspace, one)) for one in actual])
    if settling and (plan.action is not Action.NONE or plan.remove):
        raise UnfitError(plan.why or "there is another one beside it")
    if plan.remove and any(map(is_synced, actual)):
        leave(host, workspace, actual)
    several.note(workspace)
    return apply(host, workspace, order.runtime, spec=spec, plan=plan, actual=actual)


def _provisioned(host: Host, workspace: Workspace, order: Checked, made: Made, instance: Instance) -> int:
    """Run the steps of the create stage that have not run in `instance`, and return how many these were."""
    steps = create_steps(order.loaded.profile, inputs=made.inputs, user=made.user, project_name=workspace.name)
    missing = pending(instance, steps)
    if missing:
        env = taken_from_host(host, workspace, order.loaded)
        provision(instance, missing, env=env, reporter=host.reporter)
    return len(missing)


def _ports(host: Host, workspace: Workspace, wanted: Sequence[Wanted], spec: InstanceSpec, instance: Instance) -> Given:
    if spec.agent.directory:
        return give(host, workspace, wanted, identity=instance.spec_digest)
    if wanted:
        host.reporter.note(f"{NO_PORTS}: those of the profile do not answer")
    return Given(ports=())


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def spec_of(host: Host, workspace: Workspace, order: Checked, made: Made) -> InstanceSpec:
    """Return what the Instance of a checked profile is made from, on the Image of `made`."""
    profile = order.loaded.profile
    mounts = tuple(
        (str(real(workspace.directory, mount.source)), mount.target, mount.read_only) for mount in profile.mounts
    )
    facts = Facts(
        workspace=workspace,
        owner=host.owner,
        engine=host.engine.info,
        cpus=host.cpus,
        image=made.built.image,
        user=made.user,
        grants=order.grants,
        agent=agent_spec(host, workspace, here=profile.runtime == "vm"),
        machine=machine_options(
            profile,
            base=place(profile.base, workspace.directory),
            private=private_address(order.loaded),
            live=order.mode == MOUNT,
        ),
        mounts=mounts,
        kept_inside=made.recipe.volumes,
        variables=made.recipe.variables,
        certificates=certificates(workspace, made.bundle, java=profile.packages.java is not None),
        synced=order.mode != MOUNT,
    )
    return instance_spec(profile, facts)


def _remember(
    state: State, host: Host, loaded: Loaded, spec: InstanceSpec, instance: Instance, hot: Mapping[str, str]
) -> None:
    state.write(
        {
            "project": str(state.workspace.directory),
            "engine": host.engine.info.url,
            "instance": instance.id,
            "image": instance.image,
            "spec": instance.spec_digest,
            "adopted": adoption(spec, instance),
            "profile": digest(loaded.profile),
            "lock": lock_digest(host, state.workspace),
            **hot,
        }
    )
