from dataclasses import replace
from pathlib import Path

import pytest

from devbox.profile.asks import Grants
from devbox.profile.model import Profile
from devbox.runtimes.base import AgentSpec, InstanceSpec
from devbox.values import GuestUser
from devbox.workspace.context import Workspace
from devbox.workspace.spec import Certificates, Facts, excess, instance_spec
from tests.fakes.engine import INFO

WORKSPACE = Workspace(directory=Path("/src/My Shop"), name="My Shop")
FACTS = Facts(
    workspace=WORKSPACE,
    owner="0-abc",
    engine=INFO,
    image="sha256:1",
    user=GuestUser(name="dev", uid=1000, gid=1000, home="/home/dev"),
    grants=Grants(),
    agent=AgentSpec(build="0123456789abcdef", protocol=1),
)


def _spec(facts: Facts = FACTS, **profile: object) -> InstanceSpec:
    return instance_spec(Profile.model_validate(profile), facts)


def test_the_name_is_of_the_directory_and_the_host_name_of_the_profile() -> None:
    spec = _spec(name="shop")
    assert spec.name == f"devbox-my-shop-{WORKSPACE.hash}"
    assert spec.hostname == "shop"


def test_everything_carries_workspace_and_owner() -> None:
    spec = _spec()
    for labels in (spec.labels, spec.volumes[0].labels):
        assert dict(labels)["devbox.workspace"] == WORKSPACE.hash
        assert dict(labels)["devbox.owner"] == "0-abc"


def test_the_project_is_shared_and_granted_and_nothing_else_is() -> None:
    spec = _spec()
    assert [(share.source, share.target) for share in spec.shares] == [("/src/My Shop", "/workspaces/My Shop")]
    assert spec.granted.host_paths == frozenset({"/src/My Shop"})


def test_mounts_are_shared_but_granted_only_by_trust() -> None:
    facts = replace(FACTS, mounts=(("/data", "/data", True),))
    assert _spec(facts).shares[1].read_only
    assert "/data" not in _spec(facts).granted.host_paths
    trusted = replace(facts, grants=Grants(host_paths=frozenset({"/data"})))
    assert "/data" in _spec(trusted).granted.host_paths


def test_the_certificates_are_read_only_and_named_by_variables() -> None:
    facts = replace(FACTS, certificates=Certificates(files=(("/etc/ca.crt", "/ca.pem"),), env={"PIP_CERT": "/ca.pem"}))
    spec = _spec(facts)
    assert (spec.shares[-1].source, spec.shares[-1].read_only) == ("/etc/ca.crt", True)
    assert spec.env == (("PIP_CERT", "/ca.pem"),)


def test_another_lock_file_gets_a_fresh_volume_for_its_modules() -> None:
    one, other = (_spec(replace(FACTS, kept_inside=(("node_modules", digest * 64),))).volumes[-1] for digest in "ab")
    assert one.target == other.target == "/workspaces/My Shop/node_modules"
    assert one.name != other.name


def test_more_than_the_machine_has_is_cut_down_and_said() -> None:
    profile = Profile.model_validate({"resources": {"cpus": 64, "memory": "64 GiB"}})
    spec = instance_spec(profile, FACTS)
    assert (spec.resources.cpus, spec.resources.memory) == (INFO.cpus, INFO.memory)
    said = excess(profile, INFO, 2)
    assert ["resources.cpus" in said[0], "resources.memory" in said[1]] == [True, True]


def test_a_machine_has_what_this_host_has_and_not_what_a_remote_engine_has() -> None:
    profile = Profile.model_validate({"runtime": "vm", "resources": {"cpus": 64}})
    few, many = replace(INFO, cpus=2), replace(INFO, cpus=128)
    for here, cpus in ((96, 64), (8, 8), (0, 64)):
        for engine in (few, many):
            assert instance_spec(profile, replace(FACTS, engine=engine, cpus=here)).resources.cpus == cpus
            assert [" has 8;" in one for one in excess(profile, engine, here)] == [True] * (cpus == 8)
    container = Profile.model_validate({"resources": {"cpus": 64}})
    assert instance_spec(container, replace(FACTS, engine=few, cpus=96)).resources.cpus == 2


@pytest.mark.parametrize("resources", [{}, {"cpus": 1, "memory": "1 GiB", "pids": 100}])
def test_what_fits_needs_no_word(resources: dict[str, object]) -> None:
    profile = Profile.model_validate({"resources": resources})
    assert excess(profile, INFO, 2) == []
    assert instance_spec(profile, FACTS).resources.pids == resources.get("pids", 4096)


def test_the_same_profile_has_the_same_digest() -> None:
    assert _spec().digest == _spec().digest
    assert _spec().digest == _spec(ports={"web": {"guest": 80}}).digest
    assert _spec().digest != _spec(resources={"pids": 50}).digest
