"""What runs before what, and what is said of tasks that cannot be run."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from devbox.errors import Problem
from devbox.profile.load import Loaded
from devbox.profile.model import Task
from devbox.profile.tasks import near, ordered

Load = Callable[..., Loaded]
Refused = Callable[..., tuple[Problem, ...]]


def tasks(**needs: str) -> Mapping[str, Task]:
    return {name: Task(run=f"run-{name}", needs=tuple(text.split())) for name, text in needs.items()}


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        ({"a": ""}, "a"),
        ({"a": "b c", "b": "", "c": ""}, "b c a"),
        ({"a": "c b", "b": "", "c": ""}, "c b a"),
        ({"a": "b c", "b": "d", "c": "d", "d": ""}, "d b c a"),
        ({"a": "b", "b": "c", "c": "", "other": "a"}, "c b a"),
        ({"a": "b b", "b": ""}, "b a"),
        ({"a": "b c", "b": "", "c": "b"}, "b c a"),
    ],
)
def test_needs_run_first_each_once_as_they_are_written(needs: dict[str, str], order: str) -> None:
    assert ordered(tasks(**needs), "a") == tuple(order.split())


def test_a_chain_may_be_longer_than_python_recurses() -> None:
    chain = tasks(**{f"t{n}": f"t{n + 1}" for n in range(5000)}, t5000="")
    assert ordered(chain, "t0") == tuple(f"t{n}" for n in range(5000, -1, -1))


def test_a_need_that_is_no_task_is_said_with_its_place_and_what_was_meant(refused: Refused) -> None:
    found = refused('[tasks]\nlint = "x"\ntest = { run = "y", needs = [\n"lint", "lnt",\n"tst"] }\n')
    assert [(one.file, one.line, one.key) for one in found] == [
        ("devbox.toml", 4, "tasks.test.needs[1]"),
        ("devbox.toml", 5, "tasks.test.needs[2]"),
    ]
    assert [(one.message, one.hint) for one in found] == [
        ('there is no task "lnt"', 'did you mean "lint"?'),
        ('there is no task "tst"', 'did you mean "test"?'),
    ]


def test_a_need_like_nothing_is_said_with_all_that_there_are(refused: Refused) -> None:
    (found,) = refused('[tasks]\nlint = "x"\ntest = { run = "y", needs = ["zebra"] }\n')
    assert (found.message, found.hint) == ('there is no task "zebra"', "there are: lint, test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a = { run = "x", needs = ["a"] }', [("tasks.a.needs[0]", "a circle: a needs a")]),
        (
            'a = { run = "x", needs = ["c", "b"] }\nb = { run = "x", needs = ["a"] }\nc = "x"',
            [("tasks.a.needs[1]", "a circle: a needs b needs a")],
        ),
        (
            'top = { run = "x", needs = ["a", "p"] }\na = { run = "x", needs = ["b"] }\n'
            'b = { run = "x", needs = ["a"] }\np = { run = "x", needs = ["p"] }',
            [("tasks.a.needs[0]", "a circle: a needs b needs a"), ("tasks.p.needs[0]", "a circle: p needs p")],
        ),
    ],
)
def test_each_circle_is_said_once_where_it_can_be_cut(refused: Refused, text: str, said: list[tuple[str, str]]) -> None:
    found = refused(f"[tasks]\n{text}\n")
    assert [(one.key, one.message) for one in found] == said
    assert all(one.file == "devbox.toml" and one.line and one.hint == "take one of them out" for one in found)


def test_a_circle_through_two_files_is_found_when_they_are_together(refused: Refused, project: Path) -> None:
    (project / "devbox.local.toml").write_text('[tasks]\nb = { run = "mine", needs = ["a"] }\n')
    (found,) = refused('[tasks]\na = { run = "x", needs = ["b"] }\nb = "y"\n')
    assert (found.file, found.line, found.key) == ("devbox.toml", 2, "tasks.a.needs[0]")


def test_a_task_whose_command_a_later_layer_says_is_that_layers_as_a_whole(loaded: Load, project: Path) -> None:
    (project / "devbox.local.toml").write_text('[tasks]\ntest = "mine"\nlint = { needs = ["fmt"] }\n')
    found = loaded('[tasks]\nfmt = "f"\nlint = "l"\ntest = { run = "theirs", needs = ["lint"] }\n').profile.tasks
    assert (found["test"].run, found["test"].needs) == ("mine", ())
    assert (found["lint"].run, found["lint"].needs) == ("l", ("fmt",))


def test_a_task_without_a_command_is_incomplete(refused: Refused) -> None:
    (found,) = refused("[tasks]\ntest = { needs = [] }\n")
    assert (found.key, found.message) == ("tasks.test.run", "is missing and must be set")


@pytest.mark.parametrize(("typed", "meant"), [("tset", "test"), ("lnt", "lint"), ("zebra", None)])
def test_what_was_meant(typed: str, meant: str | None) -> None:
    assert near(typed, ("lint", "test")) == meant
