from dataclasses import replace

from devbox.engine.base import MountKind
from devbox.runtimes.base import (
    AgentSpec,
    DataVolume,
    Granted,
    InstanceSpec,
    ResourceLimits,
    Share,
)
from devbox.runtimes.container.request import (
    container_request,
    stream_request,
)
from devbox.values import LABEL_AGENT, LABEL_IMAGE, LABEL_SPEC, GuestUser

SPEC = InstanceSpec(
    name="devbox-shop-0123abcd",
    image="sha256:1",
    hostname="shop",
    user=GuestUser(name="dev", uid=1000, gid=1000, home="/home/dev"),
    workdir="/workspaces/my shop",
    agent=AgentSpec(build="0123456789abcdef", protocol=1, program="/state/agent-x86_64", directory="/state/agent"),
    env=(("PIP_CERT", "/ca.pem"),),
    shares=(Share(source="/src/my shop", target="/workspaces/my shop"),),
    volumes=(DataVolume(name="devbox-shop-cache", target="/home/dev/.cache", labels=(("devbox.role", "data"),)),),
    resources=ResourceLimits(cpus=2.0, memory=1 << 30, pids=512),
    labels=(("devbox.owner", "me"),),
    granted=Granted(host_paths=frozenset({"/src/my shop"})),
)


def test_the_agent_is_process_1_with_the_capabilities_of_the_design() -> None:
    request = container_request(SPEC)
    assert request.capabilities == ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SETPCAP")
    assert (request.init, request.entrypoint) == (False, ("/run/devbox/agent",))
    assert request.command == ("serve", "--socket", "/run/devbox/socket/agent.sock", "--identity", SPEC.digest)
    assert (request.user, request.cpus, request.memory, request.pids) == ("0:0", 2.0, 1 << 30, 512)


def test_the_agents_program_is_read_only_and_its_directory_is_its_own() -> None:
    program, directory = container_request(SPEC).mounts[:2]
    assert (program.source, program.target, program.read_only) == ("/state/agent-x86_64", "/run/devbox/agent", True)
    assert (directory.source, directory.target) == ("/state/agent", "/run/devbox/socket")


def test_where_nothing_can_be_mounted_the_agent_is_in_the_image_and_hears_from_inside_alone() -> None:
    spec = replace(SPEC, agent=AgentSpec(build="0123456789abcdef", protocol=1), shares=())
    request = container_request(spec, layered="sha256:2")
    assert (request.image, request.command[-1]) == ("sha256:2", "--inside")
    assert all(mount.kind is not MountKind.BIND for mount in request.mounts)
    assert dict(request.labels)[LABEL_IMAGE] == SPEC.image
    assert stream_request().argv == ("/run/devbox/agent", "stream", "--socket", "/run/devbox/socket/agent.sock")
    assert stream_request().user == "0:0"


def test_another_agent_is_another_spec() -> None:
    for changed in (replace(SPEC.agent, build="f" * 16), replace(SPEC.agent, protocol=2)):
        assert replace(SPEC, agent=changed).digest != SPEC.digest


def test_the_project_is_bound_and_storage_is_a_labelled_volume() -> None:
    bind, volume = container_request(SPEC).mounts[2:]
    assert (bind.kind, bind.source, bind.target) == (MountKind.BIND, "/src/my shop", "/workspaces/my shop")
    assert (volume.kind, volume.source, volume.labels) == (
        MountKind.VOLUME,
        "devbox-shop-cache",
        (("devbox.role", "data"),),
    )


def test_only_what_was_granted_is_allowed() -> None:
    allowance = container_request(SPEC).allowance
    assert allowance.bind_sources == frozenset({"/src/my shop", "/state/agent-x86_64", "/state/agent"})
    assert not allowance.host_network
    assert not allowance.capabilities


def test_labels_say_what_it_was_made_from() -> None:
    labels = dict(container_request(SPEC).labels)
    assert labels[LABEL_SPEC] == SPEC.digest
    assert labels[LABEL_AGENT] == SPEC.agent.build
    assert LABEL_IMAGE not in labels
    assert labels["devbox.owner"] == "me"
