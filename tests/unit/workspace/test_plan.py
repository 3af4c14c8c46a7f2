from dataclasses import replace

import pytest

from devbox.runtimes.base import AgentSpec, AgentState, InstanceSpec, InstanceState
from devbox.values import GuestUser
from devbox.workspace.plan import Action, Plan, Seen, reconcile

SPEC = InstanceSpec(
    name="box",
    image="i1",
    hostname="box",
    user=GuestUser(name="root", uid=0, gid=0, home="/root"),
    workdir="/",
    agent=AgentSpec(build="a1", protocol=1),
)


def _seen(
    name: str = "box",
    *,
    spec: str = SPEC.digest,
    image: str = "i1",
    state: InstanceState = InstanceState.RUNNING,
    problem: str | None = None,
    agent: str = "a1",
    answers: AgentState = AgentState.ANSWERS,
) -> Seen:
    return Seen(
        id=f"id-{name}",
        name=name,
        spec_digest=spec,
        image=image,
        state=state,
        problem=problem,
        agent=agent,
        answers=answers,
    )


def _plan(*actual: Seen) -> Plan:
    return reconcile(SPEC, actual)


def test_nothing_there_is_created() -> None:
    assert _plan() == Plan(action=Action.CREATE, why="")


def test_what_runs_and_fits_is_left_alone() -> None:
    assert _plan(_seen()) == Plan(action=Action.NONE, keep="id-box")
    replaced = Plan(action=Action.RESTART, keep="id-box", why="the project's directory is another one")
    assert _plan(replace(_seen(), replaced=True)) == replaced
    assert _plan(replace(_seen(state=InstanceState.STOPPED), replaced=True)).action is Action.START


@pytest.mark.parametrize("state", [InstanceState.CREATED, InstanceState.STOPPED])
def test_what_fits_and_does_not_run_is_started(state: InstanceState) -> None:
    assert _plan(_seen(state=state)) == Plan(action=Action.START, keep="id-box", why=f"it was {state.value}")


def test_why_it_stopped_is_said() -> None:
    assert _plan(_seen(state=InstanceState.STOPPED, problem="killed for memory")).why == "killed for memory"


def test_other_settings_recreate() -> None:
    assert _plan(_seen(spec="s0")) == Plan(action=Action.RECREATE, why="its settings changed", remove=("id-box",))


def test_another_image_recreates_and_says_so() -> None:
    assert _plan(_seen(spec="s0", image="i0")).why == "its image changed"


def test_what_is_broken_is_recreated_though_it_fits() -> None:
    plan = _plan(_seen(state=InstanceState.BROKEN, problem="the engine calls it dead"))
    assert plan == Plan(action=Action.RECREATE, why="the engine calls it dead", remove=("id-box",))


def test_what_was_renamed_by_hand_is_recreated() -> None:
    assert _plan(_seen("mine")) == Plan(action=Action.RECREATE, why="it was renamed", remove=("id-mine",))


def test_a_second_one_is_a_leftover_and_goes() -> None:
    assert _plan(_seen("copy"), _seen()) == Plan(action=Action.NONE, keep="id-box", remove=("id-copy",))


def test_one_without_a_spec_label_does_not_fit() -> None:
    assert _plan(_seen(spec="")).action is Action.RECREATE


def test_another_agent_recreates_and_says_so() -> None:
    assert _plan(_seen(spec="s0", agent="a0")).why == "its agent changed"


def test_an_agent_that_speaks_another_version_is_replaced_with_what_it_lives_in() -> None:
    plan = _plan(_seen(answers=AgentState.OTHER))
    assert plan == Plan(action=Action.RECREATE, why="its agent speaks another version", remove=("id-box",))


def test_what_has_a_silent_agent_is_started_again_and_kept() -> None:
    plan = _plan(_seen(answers=AgentState.SILENT))
    assert plan == Plan(action=Action.START, why="its agent does not answer", keep="id-box")
