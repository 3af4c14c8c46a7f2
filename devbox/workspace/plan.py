"""What `up` has to do: the difference between what is wanted and what the engine's labels say is there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from devbox.runtimes.base import AgentState, Instance, InstanceSpec, InstanceState
from devbox.values import LABEL_AGENT


class Action(Enum):
    """What has to be done to the Instance."""

    NONE = "none"
    START = "start"
    RESTART = "restart"
    CREATE = "create"
    RECREATE = "recreate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An Instance of the Workspace as it is."""

    id: str
    name: str
    spec_digest: str
    image: str
    state: InstanceState
    adopted: str = ""  # digest of the spec that it was brought to while it ran
    problem: str | None = None
    agent: str = ""  # build of its agent
    answers: AgentState = AgentState.ANSWERS  # if it runs
    saved: bool = False  # what ran in it goes on
    replaced: bool = False  # it has another directory mounted than the one that is now at the project's path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do. `remove`: ids of Instances that must go first. `why`: for a person, empty for `NONE`."""

    action: Action
    why: str = ""
    keep: str | None = None  # id of the Instance that stays
    remove: tuple[str, ...] = ()


def seen(instance: Instance, known: Mapping[str, str] | None = None, *, replaced: bool = False) -> Seen:
    """Return what there is to see of `instance`; its agent is asked if it runs. `known`: the Record.

    Whoever loses the Record has the Instance made anew, from an Image that holds the same.
    """
    same = known is not None and known["instance"] == instance.id
    runs = instance.state is InstanceState.RUNNING
    return Seen(
        id=instance.id,
        name=instance.name,
        spec_digest=instance.spec_digest,
        image=instance.image,
        state=instance.state,
        adopted=known["adopted"].partition(" ")[0] if known is not None and same else "",
        problem=instance.problem,
        agent=instance.labels.get(LABEL_AGENT, ""),
        answers=instance.agent_state() if runs else AgentState.ANSWERS,
        saved=bool(instance.saved),
        replaced=replaced,
    )


def adoption(spec: InstanceSpec, instance: Instance) -> str:
    """Return what the Record says of an Instance that fits `spec` though it was made from another; empty if from it."""
    return "" if instance.spec_digest == spec.digest else f"{spec.digest} {spec.image}"


def fitted(instance: Instance, known: Mapping[str, str]) -> tuple[str, str]:
    """Return the digest of the spec that `instance` fits by now, and its image's id, by the Record; see `adoption`.

    The Record is one of this very Instance.
    """
    digest, _, image = known["adopted"].partition(" ")
    return digest or instance.spec_digest, image or instance.image


def brought(spec: InstanceSpec, instance: Instance, known: Mapping[str, str], *, lock: str) -> dict[str, str]:
    """Return the Record `known` with what is known of an Instance that was changed before its Image was made.

    That fits `spec` if it was brought to the very Lock with the digest `lock`, and if nothing but the Image differs.
    """
    digest, image = fitted(instance, known)
    same = known["instance"] == instance.id and known["behind"] == lock != ""
    if not same or replace(spec, image=image).digest != digest:
        return dict(known)
    return {**known, "adopted": f"{spec.digest} {spec.image}"}


def reconcile(spec: InstanceSpec, actual: Sequence[Seen]) -> Plan:
    """Return what makes `actual` (all Instances of one Workspace) one running Instance of the wanted spec.

    What has another name than devbox gave it was renamed by hand; a second one is a leftover. Both go.
    """
    ours = next((one for one in actual if one.name == spec.name), None)
    if ours is None:
        action = Action.RECREATE if actual else Action.CREATE
        why = "it was renamed" if actual else ""
        return Plan(action=action, why=why, remove=tuple(one.id for one in actual))
    others = tuple(one.id for one in actual if one is not ours)
    why = _why_unfit(ours, spec)
    if why:
        return Plan(action=Action.RECREATE, why=why, remove=(ours.id, *others))
    if ours.state is InstanceState.RUNNING and ours.answers is AgentState.SILENT:
        return Plan(action=Action.START, why=f"its agent {ours.answers.value}", keep=ours.id, remove=others)
    if ours.state is InstanceState.RUNNING and ours.replaced:
        why = "the project's directory is another one"
        return Plan(action=Action.RESTART, why=why, keep=ours.id, remove=others)
    if ours.state is InstanceState.RUNNING:
        return Plan(action=Action.NONE, keep=ours.id, remove=others)
    was = "saved" if ours.saved else ours.state.value
    return Plan(action=Action.START, why=ours.problem or f"it was {was}", keep=ours.id, remove=others)


def _why_unfit(ours: Seen, spec: InstanceSpec) -> str:
    if ours.state is InstanceState.BROKEN:
        return ours.problem or "it is broken"
    if spec.digest in (ours.spec_digest, ours.adopted):
        return f"its agent {ours.answers.value}" if ours.answers is AgentState.OTHER else ""
    if ours.image != spec.image:
        return "its image changed"
    return "its agent changed" if ours.agent != spec.agent.build else "its settings changed"
