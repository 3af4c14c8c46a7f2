"""`config`: effective values, their sources, their digest."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.errors import NotInThisVersionError
from devbox.profile.explain import digest, effective, explain
from devbox.profile.gate import require_supported
from devbox.profile.load import Loaded

Load = Callable[..., Loaded]


def test_every_value_says_where_it_came_from(loaded: Load) -> None:
    found = explain(loaded('[packages]\nsystem = ["git",\n "jq"]\n[ports]\nweb = 8000\n', environ={"DEVBOX_CPUS": "2"}))
    assert found["packages.system[1]"] == {"value": "jq", "source": "devbox.toml", "file": "devbox.toml", "line": 3}
    assert found["ports.web.guest"] == {"value": 8000, "source": "devbox.toml", "file": "devbox.toml", "line": 5}
    assert found["ports.web.protocol"] == {"value": "tcp", "source": "built-in", "file": None, "line": None}
    assert found["resources.cpus"] == {"value": 2, "source": "DEVBOX_CPUS", "file": None, "line": None}
    assert found["name"]["value"] == "shop"
    json.dumps(found)


def test_effective_values_are_what_a_file_would_say(loaded: Load) -> None:
    found = effective(loaded('[env]\nA = "1"\n[[provision]]\ncopy = { from = "a", to = "/b" }\n').profile)
    assert found["env"] == {"A": "1", "from_host": []}
    assert found["provision"] == [{"copy": {"from": "a", "to": "/b"}, "when": "create", "repeat": "once"}]
    assert "prod" not in found


def test_the_digest_is_that_of_the_values_alone(loaded: Load) -> None:
    first = digest(loaded("# one\n[ports]\nweb = 8000\n").profile)
    assert first == digest(loaded("ports.web = { guest = 8000 } # two\n").profile)
    assert first != digest(loaded("ports.web = 8001\n").profile)
    assert len(first) == 64


def test_the_digest_does_not_count_tasks_of_which_nothing_is_made(loaded: Load) -> None:
    first = digest(loaded("[ports]\nweb = 8000\n").profile)
    assert first == digest(loaded('[ports]\nweb = 8000\n[tasks]\ntest = "pytest -q"\n').profile)


def test_secrets_are_references_alone(loaded: Load) -> None:
    profile = loaded('secrets.TOKEN = { env = "HOST_TOKEN" }', environ={"HOST_TOKEN": "hunter2"}).profile
    assert effective(profile)["secrets"] == {"TOKEN": {"env": "HOST_TOKEN"}}


LATER = """\
runtime = "vm"
isolation = "strict"

[base]
disk = "x.qcow2"

[packages]
go = { version = "1" }
c = { version = "12" }

[[provision]]
ansible = "p.yml"
[[provision]]
run = "x"
when = "start"

[services.db]
image = "postgres:16"
[sync]
mode = "two-way"
ignore = ["/dist"]
[[sync.on_change]]
paths = ["a"]
do = "rebuild"
[resources]
disk = "20 GiB"
[network]
allow = ["registry.example"]
[vm]
init = "trimmed"
[prod]
ssh = "host"
[machines.worker]
services = { db = { image = "postgres:16" } }
"""


def test_keys_of_a_later_version_are_all_named(loaded: Load) -> None:
    with pytest.raises(NotInThisVersionError) as caught:
        require_supported(loaded(LATER))
    assert caught.value.exit_status == 2
    assert {(problem.key, problem.line) for problem in caught.value.problems} == {
        ("isolation", 2),
        ("provision[0].ansible", 12), ("provision[1].when", 15), ("services", 17),
            ("network.allow", 28),
        ("prod", 31), ("machines.worker.services", 34),
    }  # fmt: skip
    assert {problem.file for problem in caught.value.problems} == {"devbox.toml"}


def test_what_this_version_carries_out_passes(loaded: Load) -> None:
    require_supported(
        loaded(
            'runtime = "container"\nisolation = "standard"\nsync = { mode = "mount", ignore = [] }\n'
            '[tasks]\ntest = "pytest"\n'
            '[packages]\nsystem = ["git"]\npython = {}\nnode = {}\n[[provision]]\nrun = "x"\nwhen = "build"\n'
            'repeat = "on-change"\n[resources]\ngpus = "all"\ndevices = ["/dev/kvm"]\n'
        )
    )


def test_a_later_value_from_a_flag_or_variable_is_named_as_such(loaded: Load) -> None:
    for options, source in (
        ({"flags": {"isolation": "strict"}}, "flag"),
        ({"environ": {"DEVBOX_ISOLATION": "strict"}}, "DEVBOX_ISOLATION"),
    ):
        with pytest.raises(NotInThisVersionError) as caught:
            require_supported(loaded("", **options))
        (problem,) = caught.value.problems
        assert (problem.key, problem.file) == ("isolation", None)
        assert source in problem.message


def test_an_empty_table_of_a_later_layer_hides_nothing(loaded: Load, project: Path) -> None:
    (project / "devbox.local.toml").write_text("[services]\n")
    with pytest.raises(NotInThisVersionError):
        require_supported(loaded('[services.db]\nimage = "postgres:16"\n'))
