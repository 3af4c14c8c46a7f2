"""The grammar of values: what is accepted. What is refused, and in what words, is in the corpus."""

import pytest
from pydantic import ValidationError

from devbox.profile.model import Profile


@pytest.mark.parametrize(
    "name",
    [
        "git",
        "g++",
        "libstdc++6",
        "libpq-dev",
        "curl=7.88.1-10+deb12u5",
        "vim=2:9.0.1378-2",
        "libc6:i386",
        "a.b_c",
        "7zip",
    ],
)
def test_system_packages(name: str) -> None:
    assert Profile.model_validate({"packages": {"system": [name]}}).packages.system == (name,)


@pytest.mark.parametrize(
    "image",
    [
        "debian", "debian:12", "debian:sid", "exp:b12", "ghcr.io/a/b-c__d:V1.2_3", "localhost:5000/x",
        "registry.example:5000/a/b@sha256:" + "0" * 64, "127.0.0.1:5000/x:y",
    ],
)  # fmt: skip
def test_images(image: str) -> None:
    assert Profile.model_validate({"base": {"image": image}}).base.image == image


@pytest.mark.parametrize(
    "image", ["", "A", "a b", "-a", "a:", "a@sha256:12", "a//b", "http://a/b", "a:b:c", "a\n", "a" * 600]
)
def test_no_images(image: str) -> None:
    with pytest.raises(ValidationError):
        Profile.model_validate({"base": {"image": image}})


def test_a_port_is_written_short_or_long() -> None:
    ports = Profile.model_validate({"ports": {"web": 8000, "dns": {"guest": 53, "host": 0, "protocol": "udp"}}}).ports
    assert (ports["web"].guest, ports["web"].host, ports["web"].expose) == (8000, None, "loopback")
    assert (ports["dns"].guest, ports["dns"].host, ports["dns"].protocol) == (53, 0, "udp")


def test_a_task_is_written_short_or_long() -> None:
    tasks = Profile.model_validate({"tasks": {"a": "pytest -q", "b": {"run": "x", "needs": ["a"]}}}).tasks
    assert (tasks["a"].run, tasks["b"].needs) == ("pytest -q", ("a",))


def test_env_holds_variables_beside_from_host() -> None:
    env = Profile.model_validate({"env": {"A": "b", "values": "c", "from_host": ["X"]}}).env
    assert env.values == {"A": "b", "values": "c"}
    assert env.from_host == ("X",)
    assert env.model_dump() == {"A": "b", "values": "c", "from_host": ["X"]}


def test_a_machine_overrides_a_part() -> None:
    machine = Profile.model_validate({"machines": {"worker": {"runtime": "vm", "ports": {"a": 1}}}}).machines["worker"]
    assert machine.model_fields_set == {"runtime", "ports"}


def test_two_ports_may_not_want_one_of_the_host() -> None:
    Profile.model_validate({"ports": {"a": {"guest": 1, "host": 5}, "b": {"guest": 2, "host": 5, "protocol": "udp"}}})
    with pytest.raises(ValidationError, match="two ports want"):
        Profile.model_validate({"ports": {"a": {"guest": 1, "host": 5}, "b": {"guest": 2, "host": 5}}})


def test_a_profile_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Profile().runtime = "vm"  # type: ignore[misc]
