"""`halt` and `destroy` of an environment by its name, from anywhere, over the fake and the real engine."""

import shutil
import uuid

import pytest

from tests.contract.cli.conftest import PROFILE, FakeWorld, World


def started(world: World) -> tuple[str, str, str]:
    """Bring an environment up under a name of its own; return its name, its container's and its hash."""
    name = f"t{uuid.uuid4().hex[:10]}"
    world.write(PROFILE.replace('"shop"', f'"{name}"', 1))
    assert world("up").status == 0
    (one,) = [one for one in world("list", "--json").document["environments"] if one["name"] == name]
    return name, one["container"], one["hash"]


@pytest.mark.parametrize("which", [0, 1, 2], ids=["name", "container", "hash"])
def test_it_ends_by_any_of_its_names(world: World, which: int) -> None:
    words = started(world)
    word = words[which]
    assert world("halt", word, "--json").document == {"schema": 1, "changed": True}
    assert world("halt", word).stdout == "nothing to do\n"
    gone = world("destroy", "-f", word, "--json")
    assert gone.status == 0, gone.stderr
    assert gone.document["removed"]["containers"] == [words[1]]
    assert world("status", "--json").document["state"] == "absent"
    assert world("destroy", "-f", word).status == 2


def test_one_whose_directory_is_gone_is_named_by_list_and_ends(fake: FakeWorld) -> None:
    name, container, _ = started(fake)
    shutil.rmtree(fake.directory)
    fake.directory = fake.directory.parent
    assert f"(gone; devbox destroy {name})" in fake("list").stdout
    assert fake("destroy", "-f", name, "--json").document["removed"]["containers"] == [container]
    assert fake("list").stdout == "no environments\n"


def test_one_that_nobody_has_is_a_usage_error_that_says_what_was_meant(fake: FakeWorld) -> None:
    name, _, _ = started(fake)
    for verb in (("halt",), ("destroy", "-f")):
        done = fake(*verb, name[:-1])
        assert (done.status, done.error) == (2, "usage")
        assert done.stderr.endswith(f"hint: did you mean: {name}\n")
    assert fake("halt", "no-such").stderr.endswith("hint: devbox list shows the names\n")
    assert fake("status", "--json").document["state"] == "running"


def test_a_name_that_two_have_ends_neither(fake: FakeWorld) -> None:
    name, first, _ = started(fake)
    other = fake.directory.with_name("another project")
    shutil.copytree(fake.directory, other)
    fake.directory = other
    assert fake("up").status == 0
    done = fake("destroy", "-f", name, "--json")
    assert (done.status, done.error) == (2, "usage")
    assert {first} < {problem["key"] for problem in done.document["error"]["problems"]}
    assert len(fake("list", "--json").document["environments"]) == 2
    assert fake("destroy", "-f", first).status == 0
    assert fake("status", "--json").document["state"] == "running"


def test_it_asks_before_it_ends_anything(fake: FakeWorld) -> None:
    name, _, _ = started(fake)
    done = fake("destroy", name)
    assert (done.status, done.error) == (2, "not-confirmed")
    assert done.stderr.endswith(f"hint: devbox destroy -f {name}\n")
    assert fake("status", "--json").document["state"] == "running"


def test_a_project_and_a_name_contradict_each_other(fake: FakeWorld) -> None:
    name, _, _ = started(fake)
    assert fake("-C", str(fake.directory), "destroy", "-f", name).error == "usage"


def test_what_a_killed_destroy_left_goes_by_its_hash(fake: FakeWorld) -> None:
    _, container, path_hash = started(fake)
    fake.engine.remove(container)
    done = fake("destroy", "-f", path_hash, "--json")
    assert done.status == 0, done.stderr
    assert done.document["removed"]["containers"] == []
    assert f"{container}-cache" in done.document["removed"]["volumes"]
    assert fake("destroy", "-f", path_hash).status == 2
