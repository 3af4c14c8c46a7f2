"""The base of a profile that names none: one whose distribution holds what is asked for."""

from collections.abc import Callable

import pytest

from devbox.profile.explain import explain
from devbox.profile.load import Loaded
from devbox.profile.model import Packages, Profile
from devbox.profile.toolchains.choose import BUILT_IN, Choice, choose
from devbox.profile.toolchains.constraint import parse
from devbox.profile.toolchains.releases import fitting


def chosen(**versions: str) -> Choice | None:
    return choose(Packages.model_validate({tool: {"version": version} for tool, version in versions.items()}))


@pytest.mark.parametrize(
    ("versions", "image"),
    [
        ({}, None),
        ({"python": "3.11"}, None),
        ({"python": ">=3.10,<3.13"}, None),
        ({"python": "3.13"}, "debian:13"),
        ({"python": "3.9"}, "debian:11"),
        ({"java": "17"}, None),
        ({"java": "21"}, "debian:13"),
        ({"java": ">=17"}, None),
        ({"node": "^20"}, "debian:13"),
        ({"java": "21", "node": "20", "python": ">=3.12"}, "debian:13"),
        ({"node": "22"}, None),  # npm brings it
        ({"node": "22", "java": "21"}, "debian:13"),
        ({"node": "22", "python": "3.13"}, "debian:13"),
        ({"go": "1.22"}, None),  # the Go module proxy brings it
        ({"go": "1.24"}, "debian:13"),
        ({"php": "8.4", "go": "1.22"}, "debian:13"),
        ({"python": "3.14"}, "debian:sid"),
        ({"python": "3.10"}, None),  # uv may bring it
        ({"python": "3.10", "java": "21"}, "debian:13"),
        ({"java": "8"}, "debian:sid"),
        ({"java": "3"}, None),  # nobody has it, and the build says so
        ({"java": "17", "ruby": "3.3"}, "debian:sid"),
        ({"node": "*", "java": "21"}, "debian:13"),
    ],
)
def test_the_base_is_one_that_holds_what_is_asked_for(versions: dict[str, str], image: str | None) -> None:
    choice = chosen(**versions)
    assert (choice.image if choice else None) == image


def test_the_choice_names_the_versions_that_decide() -> None:
    assert chosen(java="21", node="18 || 20", c="12") == Choice(image="debian:13", why="Java 21")
    assert chosen(java=">=21", python="3.13") == Choice(image="debian:13", why="Python 3.13, Java >=21")


def test_the_built_in_base_is_the_models() -> None:
    assert Profile().base.image == BUILT_IN


def test_what_is_chosen_holds_it() -> None:
    for version in ("11", "17", "21", "25", ">=18", "<17"):
        choice = chosen(java=version)
        assert fitting(choice.image if choice else "debian:12", "java", parse(version)), version


def test_a_chosen_base_is_a_layer_of_its_own(loaded: Callable[..., Loaded]) -> None:
    found = loaded('[packages]\njava = { version = "21" }\n')
    assert found.profile.base.image == "debian:13"
    assert explain(found)["base.image"] == {
        "value": "debian:13",
        "source": "chosen for Java 21",
        "file": None,
        "line": None,
    }
    assert found.layers[-1] == "chosen for Java 21"


@pytest.mark.parametrize("base", ['image = "debian:12"', 'dockerfile = "Dockerfile"'])
def test_a_base_that_the_profile_names_stays(loaded: Callable[..., Loaded], base: str) -> None:
    found = loaded(f'[base]\n{base}\n[packages]\njava = {{ version = "21" }}\n')
    assert explain(found)[f"base.{base.partition(' ')[0]}"]["source"] == "devbox.toml"
    assert found.profile.base.image in ("debian:12", None)


def test_a_base_from_the_command_line_stays(loaded: Callable[..., Loaded]) -> None:
    found = loaded('[packages]\njava = { version = "21" }\n', flags={"base.image": "debian:11"})
    assert found.profile.base.image == "debian:11"


def test_nothing_is_chosen_where_the_built_in_base_will_do(loaded: Callable[..., Loaded]) -> None:
    found = loaded('[packages]\njava = { version = "17" }\n')
    assert explain(found)["base.image"]["source"] == "built-in"
    assert found.layers == ("built-in", "devbox.toml")
