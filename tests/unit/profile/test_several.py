"""[machines.NAME]: each machine is the profile with what the table says on top."""

import pytest

from devbox.errors import NotInThisVersionError, ProfileError, UsageError
from devbox.profile.asks import all_requests, requests
from devbox.profile.explain import digest
from devbox.profile.gate import require_supported
from devbox.profile.several import require_name
from tests.unit.profile.conftest import Load

TWO = """name = "shop"
[packages]
system = ["git"]
[ports]
web = 8000
[env]
ROLE = "web"
[machines.worker]
runtime = "vm"
[machines.worker.packages]
system = ["jq"]
[machines.worker.env]
ROLE = "worker"
"""


def test_a_machine_is_the_profile_with_its_own_values_on_top(loaded: Load) -> None:
    found = loaded(TWO)
    worker = found.members["worker"]
    assert (found.machine, found.profile.runtime, found.profile.packages.system) == ("", "container", ("git",))
    assert (worker.machine, worker.profile.runtime, worker.profile.packages.system) == ("worker", "vm", ("git", "jq"))
    assert worker.profile.env.values["ROLE"] == "worker"
    assert worker.profile.machines == {}
    origin = worker.origins["packages.system[1]"]
    assert (origin.file, origin.line, origin.key) == ("devbox.toml", 11, "machines.worker.packages.system[0]")


def test_a_port_leads_to_one_machine(loaded: Load) -> None:
    found = loaded(TWO + "[machines.worker.ports]\nqueue = 5672\n[machines.idle]\n")
    assert set(found.profile.ports) == {"web"}
    assert set(found.members["worker"].profile.ports) == {"queue"}
    assert found.members["idle"].profile.ports == {}


def test_flags_and_variables_have_the_last_word_on_every_machine(loaded: Load) -> None:
    found = loaded(TWO, flags={"runtime": "container"}, environ={"DEVBOX_CPUS": "3"})
    for one in (found, found.members["worker"]):
        assert (one.profile.runtime, one.profile.resources.cpus) == ("container", 3)


def test_what_the_profile_is_made_of_does_not_depend_on_its_machines(loaded: Load) -> None:
    alone = digest(loaded('name = "shop"\n').profile)
    found = loaded('name = "shop"\n[machines.worker.env]\nA = "b"\n')
    assert digest(found.profile) == alone
    assert digest(found.members["worker"].profile) != alone


def test_all_problems_of_all_machines_are_named_where_they_stand(loaded: Load) -> None:
    text = '[machines.a]\nruntime = "box"\n[machines.b.packages]\nsistem = ["x"]\n[machines.c.sync]\non_change = [\n'
    with pytest.raises(ProfileError) as caught:
        loaded(text + '{ paths = ["x"], run = "none" }]\n')
    places = {(problem.line, problem.key) for problem in caught.value.problems}
    assert {(2, "machines.a.runtime"), (4, "machines.b.packages.sistem")} <= places


def test_what_shows_only_when_merged_is_named_where_the_machine_says_it(loaded: Load) -> None:
    with pytest.raises(ProfileError) as caught:
        loaded(
            '[[mounts]]\nsource = "."\ntarget = "/a"\n[machines.w.sync]\non_change = [{ paths = ["x"], run = "t" }]\n'
        )
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (5, "machines.w.sync.on_change[0].run")


def test_the_profile_itself_has_its_name_already(loaded: Load) -> None:
    with pytest.raises(ProfileError) as caught:
        loaded("[machines.default]\n")
    (problem,) = caught.value.problems
    assert "what the profile itself is called" in problem.message


@pytest.mark.parametrize(
    ("name", "hint"),
    [("wroker", "did you mean: -m worker"), ("x", "there are: default, worker, db")],
)
def test_a_machine_that_is_not_there(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"no machine of this project is called {name}") as caught:
        require_name(name, ("worker", "db"))
    assert (caught.value.hint, caught.value.exit_status) == (hint, 2)
    require_name("db", ("worker", "db"))


def test_a_key_of_a_later_version_is_refused_in_a_machine_too(loaded: Load) -> None:
    found = loaded('[machines.a.services.db]\nimage = "postgres:16"\n')
    with pytest.raises(NotInThisVersionError) as caught:
        require_supported(found)
    assert [problem.key for problem in caught.value.problems] == ["machines.a.services"]


def test_what_any_machine_asks_of_the_host_is_agreed_to_together(loaded: Load) -> None:
    text = '[env]\nfrom_host = ["A"]\n[machines.w.env]\nfrom_host = ["B"]\n'
    found = loaded(text)
    project = found.files[0].parent
    asked = all_requests(found, project, environ={})
    assert [item.value for item in asked] == ["A", "B"]  # A, which the machine inherits, once
    assert [item.value for item in requests(found, project, environ={})] == ["A"]
