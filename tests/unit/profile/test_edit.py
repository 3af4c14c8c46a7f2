"""Edits of devbox.toml: what was asked for, and not a byte of anything else."""

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from devbox.profile.edit import items_at, with_items, with_value, without_items

SYSTEM = ("packages", "system")
TEXT = """# the shop
name = "shop"   # its name

[packages]
system = ["git"]          # tools
python = { version = "3.11" }

[env]
A = "1"
"""


def test_a_name_is_added_and_every_comment_stays() -> None:
    text = with_items(TEXT, SYSTEM, ["jq"])
    assert tomli.loads(text)["packages"]["system"] == ["git", "jq"]
    changed = [(old, new) for old, new in zip(TEXT.splitlines(), text.splitlines(), strict=True) if old != new]
    assert changed == [('system = ["git"]          # tools', 'system = ["git", "jq"]          # tools')]


def test_adding_and_removing_gives_the_text_back() -> None:
    assert without_items(with_items(TEXT, SYSTEM, ["jq"]), SYSTEM, ["jq"]) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        'name = "shop"\n',
        "[packages]\n",
        "packages = {}\n",
        '[packages]\npython = {}\n\n[env]\nA = "1"\n',
        "",
        "# only\n",
    ],
)
def test_the_list_is_made_where_there_is_none(text: str) -> None:
    made = with_items(text, SYSTEM, ["jq", "less"])
    assert tomli.loads(made)["packages"]["system"] == ["jq", "less"]
    assert {key: value for key, value in tomli.loads(made).items() if key != "packages"} == {
        key: value for key, value in tomli.loads(text).items() if key != "packages"
    }


def test_a_list_over_several_lines_keeps_its_comments() -> None:
    text = '[packages]\nsystem = [\n  "git",  # for versions\n  "less",\n]\n'
    made = with_items(text, SYSTEM, ["jq"])
    assert tomli.loads(made)["packages"]["system"] == ["git", "less", "jq"]
    assert '  "git",  # for versions\n' in made


def test_what_is_there_already_is_not_added_again() -> None:
    assert with_items(TEXT, SYSTEM, ["git"]) == TEXT


def test_what_is_not_there_is_not_taken_away() -> None:
    assert without_items(TEXT, SYSTEM, ["jq"]) == TEXT
    assert without_items("", SYSTEM, ["jq"]) == ""


def test_the_items_of_the_text_itself() -> None:
    assert items_at(TEXT, SYSTEM) == ("git",)
    assert items_at("packages = 3\n", SYSTEM) == ()


def test_a_value_is_set_where_there_was_none() -> None:
    text = with_value('[packages]\nsystem = ["git"]\n', ("packages", "python", "requirements"), ["requirements.txt"])
    assert tomli.loads(text)["packages"] == {"system": ["git"], "python": {"requirements": ["requirements.txt"]}}


NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9+.-]{0,8}", fullmatch=True), max_size=5, unique=True)


@given(NAMES, NAMES)
def test_the_list_is_what_was_there_and_what_was_added(first: list[str], second: list[str]) -> None:
    text = with_items(with_items(TEXT, SYSTEM, first), SYSTEM, second)
    assert items_at(text, SYSTEM) == tuple(dict.fromkeys(["git", *first, *second]))
