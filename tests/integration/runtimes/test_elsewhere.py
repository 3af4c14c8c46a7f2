"""An engine that shares no files with this host: the agent as a layer, and its connection by the engine's exec."""

from collections.abc import Iterator

import pytest

from devbox.agent import program, wire
from devbox.engine.base import Engine
from devbox.errors import CannotStartError
from devbox.runtimes.base import AgentSpec, AgentState, Instance, InstanceSpec
from devbox.runtimes.container.runtime import ContainerRuntime
from devbox.values import LABEL_IMAGE, LABEL_ROLE, ROLE_AGENT, GuestUser
from tests.contract.runtime.conftest import exec_spec, run
from tests.support.bare import PROGRAM, bare_image
from tests.support.elsewhere import Elsewhere
from tests.support.engine import labels, sweep, unique

pytestmark = pytest.mark.docker


@pytest.fixture
def instance(docker_engine: Engine) -> Iterator[Instance]:
    """A running Instance of an image that holds one program."""
    name = unique()
    own = (*labels(), ("devbox.name", name))
    spec = InstanceSpec(
        name=name,
        image=bare_image(docker_engine).id,
        hostname="far",
        user=GuestUser(name="root", uid=0, gid=0, home="/"),
        workdir="/",
        agent=AgentSpec(build=program.build_id(), protocol=wire.VERSION),
        labels=own,
    )
    try:
        made = ContainerRuntime(Elsewhere(docker_engine)).create(spec)
        made.start()
        yield made
    finally:
        sweep(docker_engine, {"devbox.name": name})


def test_a_process_runs_in_it(instance: Instance) -> None:
    assert instance.agent_state() is AgentState.ANSWERS
    assert run(instance, PROGRAM, "echo", "hi") == (0, b"hi\n", b"")
    assert run(instance, PROGRAM, "cat", stdin=b"\x00\xff" * 100_000) == (0, b"\x00\xff" * 100_000, b"")
    assert run(instance, PROGRAM, "sh", "-c", "exit 7", user="4321:4321")[0] == 7


def test_what_is_not_there_is_said(instance: Instance) -> None:
    with pytest.raises(CannotStartError) as caught:
        instance.exec(exec_spec("/bin/sh"))
    assert caught.value.status == 127


def test_a_client_that_goes_takes_its_process_along(instance: Instance) -> None:
    session = instance.exec(exec_spec(PROGRAM, "sleep", "600"))
    assert [one.argv for one in instance.sessions()] == [(PROGRAM, "sleep", "600")]
    session.close()
    while instance.sessions():
        pass


def test_it_stands_on_the_image_of_the_spec_and_its_layer_is_no_step_of_a_build(
    docker_engine: Engine, instance: Instance
) -> None:
    assert instance.image == bare_image(docker_engine).id
    layered = [one for one in docker_engine.images({LABEL_ROLE: ROLE_AGENT, "devbox.name": instance.name}) if one.tags]
    assert [one.labels[LABEL_IMAGE] for one in layered] == [instance.image]
    assert layered[0].id != instance.image


def test_the_ordinary_user_inside_cannot_reach_the_agent(instance: Instance) -> None:
    ordinary = {"user": "4321:4321"}
    assert run(instance, PROGRAM, "ls", "/run/devbox", **ordinary)[0] != 0
    with pytest.raises(CannotStartError, match="permission denied"):
        instance.exec(exec_spec("/run/devbox/agent", "stream", "--socket", "/run/devbox/socket/agent.sock", **ordinary))
