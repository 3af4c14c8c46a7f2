"""`snapshot` as it is typed: what makes no sense, and a project whose environment is a container."""

import pytest

from tests.contract.cli.conftest import World


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("sav",), "devbox snapshot cannot 'sav'", "did you mean: devbox snapshot save"),
        (("frobnicate",), "devbox snapshot cannot 'frobnicate'", "write one of: save, restore, list"),
        (("save",), "save needs the name of a snapshot", "devbox snapshot save NAME"),
        (("list", "a"), "list takes no name", "devbox snapshot list"),
        (("save", "a", "--boot"), "--boot does not go with save", "devbox snapshot save"),
        (("restore", "a", "--no-delete"), "--no-delete does not go with restore", "devbox snapshot restore"),
        (("push", "--force"), "--force does not go with push", "devbox snapshot push"),
        (("save", "../a"), "a snapshot cannot be called '../a'", "letters, digits"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_type(
    world: World, words: tuple[str, ...], message: str, hint: str
) -> None:
    world.write()
    done = world("snapshot", *words)
    assert (done.status, done.error) == (2, "usage")
    assert message in done.stderr
    assert hint in done.stderr


def test_without_an_environment_there_is_none(world: World) -> None:
    world.write()
    assert world("snapshot", "list", "--json").document == {"schema": 1, "snapshots": []}
    done = world("snapshot", "save", "a")
    assert (done.status, done.error) == (1, "not-running")


def test_a_container_is_refused_and_runs_on(world: World) -> None:
    world.write()
    assert world("up").status == 0
    done = world("snapshot", "save", "a", "--json")
    assert (done.status, done.error) == (2, "usage")
    assert 'runtime = "vm"' in done.document["error"]["hint"]
    assert not world("up", "--json").document["changed"]
