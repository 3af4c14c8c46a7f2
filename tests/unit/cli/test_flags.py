import pytest

from devbox.cli.flags import parse_flags
from devbox.errors import UsageError


def test_values_are_read_as_toml_and_bare_words_as_text() -> None:
    given = ("base.image=debian:13", "resources.cpus=2", 'name="shop"', "packages.system=['jq']", "user.shell=true")
    assert parse_flags(given) == {
        "base.image": "debian:13",
        "resources.cpus": 2,
        "name": "shop",
        "packages.system": ["jq"],
        "user.shell": True,
    }


def test_a_value_cannot_smuggle_in_another_key() -> None:
    assert parse_flags(["name=1\nruntime = 2"]) == {"name": "1\nruntime = 2"}


@pytest.mark.parametrize("entry", ["name", "=x", "a..b=1", ".a=1", "a.=1"])
def test_what_is_no_key_and_value_is_refused(entry: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags([entry])
    assert [problem.key for problem in caught.value.problems] == [f"--set {entry}"]


def test_a_key_within_another_is_refused_and_all_mistakes_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags(["base=1", "base.image=x", "nothing"])
    assert [problem.key for problem in caught.value.problems] == ["--set base.image=x", "--set nothing"]
