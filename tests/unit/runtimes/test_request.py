import json

import pytest

from devbox.engine.base import ContainerInfo, MountKind, PortBinding
from devbox.runtimes.base import (
    DataVolume,
    ExecSpec,
    Granted,
    InstanceSpec,
    PortSpec,
    PublishedPort,
    ResourceLimits,
    Share,
)
from devbox.runtimes.container.request import (
    LABEL_PORTS,
    container_request,
    exec_request,
    port_names,
    published,
    signal_request,
)
from devbox.values import LABEL_SPEC, GuestUser

SPEC = InstanceSpec(
    name="devbox-shop-0123abcd",
    image="sha256:1",
    hostname="shop",
    user=GuestUser(name="dev", uid=1000, gid=1000, home="/home/dev"),
    workdir="/workspaces/my shop",
    env=(("PIP_CERT", "/ca.pem"),),
    shares=(Share(source="/src/my shop", target="/workspaces/my shop"),),
    volumes=(DataVolume(name="devbox-shop-cache", target="/home/dev/.cache", labels=(("devbox.role", "data"),)),),
    ports=(PortSpec(name="web", guest=80, host=8080),),
    resources=ResourceLimits(cpus=2.0, memory=1 << 30, pids=512),
    labels=(("devbox.owner", "me"),),
    granted=Granted(host_paths=frozenset({"/src/my shop"})),
)
BINDINGS = (PortBinding(guest=80, host=8081),)


def test_the_container_has_the_capabilities_of_the_design_and_an_init() -> None:
    request = container_request(SPEC, BINDINGS)
    assert request.capabilities == ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
    assert (request.init, request.command, request.entrypoint) == (True, ("sleep", "infinity"), ())
    assert (request.user, request.cpus, request.memory, request.pids) == ("0:0", 2.0, 1 << 30, 512)


def test_the_project_is_bound_and_storage_is_a_labelled_volume() -> None:
    bind, volume = container_request(SPEC, BINDINGS).mounts
    assert (bind.kind, bind.source, bind.target) == (MountKind.BIND, "/src/my shop", "/workspaces/my shop")
    assert (volume.kind, volume.source, volume.labels) == (
        MountKind.VOLUME,
        "devbox-shop-cache",
        (("devbox.role", "data"),),
    )


def test_only_what_was_granted_is_allowed() -> None:
    allowance = container_request(SPEC, BINDINGS).allowance
    assert allowance.bind_sources == frozenset({"/src/my shop"})
    assert not allowance.host_network
    assert not allowance.capabilities
    assert not allowance.exposed_addresses


def test_labels_say_what_it_was_made_from_and_what_its_ports_are_called() -> None:
    labels = dict(container_request(SPEC, BINDINGS).labels)
    assert labels[LABEL_SPEC] == SPEC.digest
    assert json.loads(labels[LABEL_PORTS]) == {"80/tcp": "web"}
    assert labels["devbox.owner"] == "me"


def test_a_given_port_is_bound_and_not_the_wanted_one() -> None:
    assert container_request(SPEC, BINDINGS).ports == BINDINGS


@pytest.mark.parametrize("label", ["{}", "not json", "[1]", ""])
def test_ports_without_a_name_are_called_by_their_number(label: str) -> None:
    assert [port.name for port in published(_info({LABEL_PORTS: label}))] == ["80"]


def test_ports_get_their_names_back() -> None:
    assert published(_info({LABEL_PORTS: port_names(SPEC.ports)})) == (
        PublishedPort(name="web", host="127.0.0.1", host_port=8081, guest_port=80, protocol="tcp"),
    )


def _info(labels: dict[str, str]) -> ContainerInfo:
    return ContainerInfo(
        id="1",
        name="x",
        image="sha256:1",
        status="running",
        exit_code=0,
        oom_killed=False,
        labels=labels,
        mounts=(),
        ports=BINDINGS,
        created="",
    )


def test_a_command_is_never_part_of_a_shells_text() -> None:
    argv = ("echo", "$(id)", "; rm -rf /", "--", "a b")
    request = exec_request(ExecSpec(argv=argv, user="1000:1000", workdir="/x"), "t0k3n")
    assert request.argv[-len(argv) :] == argv
    assert "$(id)" not in request.argv[2]


def test_users_record_their_pids_apart() -> None:
    first, second = (
        exec_request(ExecSpec(argv=("true",), user=user, workdir="/"), "t").argv[4] for user in ("0:0", "1:1")
    )
    assert first != second


def test_a_signal_is_sent_by_root_inside_to_the_token() -> None:
    request = signal_request("t0k3n", "TERM")
    assert request.user == "0:0"
    assert request.argv[-2:] == ("t0k3n", "TERM")
