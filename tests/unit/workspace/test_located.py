import pytest

from devbox.errors import BuildFailedError, Problem
from devbox.profile.load import load
from devbox.workspace.located import located
from tests.support.desk import Desk

PROFILE = """name = "shop"
[packages]
system = [
  "jq",
  "less",
]
[[provision]]
name = "one"
run = "true"
when = "build"
"""


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    found = Desk(tmp_path_factory.mktemp("desk") / "shop")
    (found.directory / "devbox.toml").write_text(PROFILE)
    return found


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("packages.system[1]", 5),
        ("packages.system", 3),
        ("provision[0]", 7),
        ("provision[0].run", 9),
        ("packages.system[1].more", 5),
        ("user.shell", None),
        (None, None),
    ],
)
def test_a_problem_of_the_build_gets_the_line_of_its_key(desk: Desk, key: str | None, line: int | None) -> None:
    loaded = load(desk.directory, environ={})
    with pytest.raises(BuildFailedError) as caught, located(loaded):
        raise BuildFailedError("no", problems=[Problem(message="why", key=key)])
    (problem,) = caught.value.problems
    assert (problem.line, problem.file) == (line, "devbox.toml" if line else None)


def test_a_place_that_is_known_stays(desk: Desk) -> None:
    known = Problem(message="why", key="packages.system", file="other.toml", line=1)
    with pytest.raises(BuildFailedError) as caught, located(load(desk.directory, environ={})):
        raise BuildFailedError("no", problems=[known])
    assert caught.value.problems == (known,)
