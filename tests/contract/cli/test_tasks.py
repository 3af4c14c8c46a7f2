"""`run`, `test`, `tasks` over the fake and the real engine."""

import pytest

from tests.contract.cli.conftest import PROFILE, FakeWorld, World

TASKS = """[tasks]
lint = "exit 0"
slow = "exit 3"
test = { run = "exit 5", needs = ["lint"] }
all = { run = "exit 0", needs = ["lint", "slow", "test"] }
words = "echo out; echo err >&2"
"""


def test_tasks_are_listed_with_what_they_need_and_where_they_are_written(world: World) -> None:
    path = world.write(PROFILE + TASKS)
    line = path.read_text().splitlines().index('test = { run = "exit 5", needs = ["lint"] }') + 1
    found = world("tasks", "--json").document
    assert set(found) == {"schema", "tasks"}
    assert [one["name"] for one in found["tasks"]] == ["lint", "slow", "test", "all", "words"]
    assert found["tasks"][2] == {
        "name": "test", "run": "exit 5", "needs": ["lint"],
        "source": "devbox.toml", "file": "devbox.toml", "line": line,
    }  # fmt: skip
    assert f"devbox.toml:{line}" in world("tasks").stdout
    assert world("status", "--json").document["state"] == "absent"


def test_no_tasks_are_none(world: World) -> None:
    world.write()
    assert world("tasks", "--json").document == {"schema": 1, "tasks": []}
    assert "[tasks]" in world("tasks").stdout


def test_a_task_brings_the_environment_up_and_its_exit_code_and_streams_are_passed_on(world: World) -> None:
    world.write(PROFILE + TASKS)
    done = world("run", "words")
    assert (done.status, done.stdout) == (0, "out\n"), done.stderr
    assert done.stderr.endswith("err\n")
    assert world("status", "--json").document["state"] == "running"
    assert world("run", "test").status == 5
    assert world("test").status == 5


def test_a_need_that_fails_ends_it_and_is_named(world: World) -> None:
    world.write(PROFILE + TASKS)
    assert world("up").status == 0
    done = world("run", "all")
    assert (done.status, done.stdout) == (3, "")
    assert done.stderr == (
        "note: lint, which all needs: exit 0\nnote: slow, which all needs: exit 3\n"
        "warning: slow ended with 3, so all was not run\n"
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("run", "tset"), "did you mean: devbox run test; there are: lint, slow, test, all, words"),
        (("run", "zebra", "--", "-x"), "there are: lint, slow, test, all, words"),
    ],
)
def test_a_task_that_is_not_there(world: World, words: tuple[str, ...], hint: str) -> None:
    world.write(PROFILE + TASKS)
    done = world(*words)
    assert (done.status, done.error, done.stdout) == (2, "usage", "")
    assert done.stderr.endswith(f"hint: {hint}\n")
    assert world("status", "--json").document["state"] == "absent"


def test_a_profile_without_the_task_that_is_asked_for(fake: FakeWorld) -> None:
    fake.write()
    for words in (("run", "test"), ("test",), ("test", "--", "-k", "x")):
        done = fake(*words)
        assert (done.status, done.error) == (2, "usage")
        assert "write it below [tasks] in devbox.toml" in done.stderr
    assert fake("run").status == 2


def test_a_circle_is_a_mistake_of_the_profile(world: World) -> None:
    world.write(PROFILE + '[tasks]\na = { run = "x", needs = ["a"] }\n')
    for words in (("run", "a"), ("test",), ("tasks",), ("up",), ("config",)):
        done = world(*words)
        assert (done.status, done.error) == (2, "profile-invalid")
        assert "devbox.toml:6: tasks.a.needs[0]: a circle: a needs a; take one of them out" in done.stderr


def test_without_an_engine_it_is_devboxs_own_failure(fake: FakeWorld) -> None:
    fake.write(PROFILE + TASKS)
    fake.down = True
    assert (fake("run", "test").status, fake("test").status) == (125, 125)
    assert (fake("run", "tset").status, fake("tasks").status) == (2, 0)


def test_another_task_makes_nothing_anew_and_nothing_stale(world: World) -> None:
    world.write(PROFILE + TASKS)
    assert world("up").status == 0
    before = world("status", "--json").document
    world.write(PROFILE + TASKS.replace("exit 5", "exit 6"))
    assert world("status", "--json").document == before
    assert before["stale"] is False
    assert world("up").stdout == "nothing to do\n"
    assert world("test").status == 6
    assert world("status", "--json").document == before
