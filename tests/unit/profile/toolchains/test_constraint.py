from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from devbox.profile.toolchains.constraint import LENGTH_MAX, check, numbers, parse

pytestmark = pytest.mark.long

number = st.integers(min_value=0, max_value=4)
full = st.tuples(number, number, number).map(lambda parts: ".".join(map(str, parts)))
prefix = st.lists(number, min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
operator = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~="])
specifiers = st.lists(st.tuples(operator, full).map("".join), min_size=1, max_size=4).map(",".join)


def understood(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def includes(text: str, version: str) -> bool:
    """Tell whether `version` is asked for by `text`, of which no version can be all that it says."""
    return understood(text) and parse(text).includes(version)


@given(specifiers, st.lists(full, min_size=1, max_size=20))
def test_full_versions_are_compared_as_pip_compares_them(text: str, versions: list[str]) -> None:
    expected = {version for version in versions if version in SpecifierSet(text)}
    assert {version for version in versions if includes(text, version)} == expected


def caret(base: tuple[int, int, int], version: tuple[int, int, int]) -> bool:
    """npm's rule in its own words: no change of the first number that is not 0."""
    place = next((n for n, part in enumerate(base) if part), 2)
    return version >= base and version[: place + 1] == base[: place + 1]


@given(st.tuples(number, number, number), st.tuples(number, number, number))
def test_caret_and_tilde_are_those_of_npm(base: tuple[int, int, int], version: tuple[int, int, int]) -> None:
    text, asked = ".".join(map(str, base)), ".".join(map(str, version))
    assert parse(f"^{text}").includes(asked) == caret(base, version)
    assert parse(f"~{text}").includes(asked) == (version >= base and version[:2] == base[:2])


@given(prefix, full)
def test_a_version_with_missing_parts_is_all_that_begin_so(text: str, version: str) -> None:
    begins = version.split(".")[: text.count(".") + 1] == text.split(".")
    for written in (text, f"v{text}", f"={text}", f"=={text}", f"{text}.x", f"{text}.*", f" {text} "):
        assert parse(written).includes(version) == begins
    assert parse(f"!={text}").includes(version) != begins


@given(prefix, full)
def test_more_and_less_stand_beside_all_that_begin_so(text: str, version: str) -> None:
    ways = [includes(f"{operator}{text}", version) for operator in ("<", "", ">")]
    assert ways.count(True) == 1
    assert parse(f"<={text}").includes(version) == (ways[0] or ways[1])
    assert parse(f">={text}").includes(version) == (ways[1] or ways[2])


asked = st.one_of(specifiers, prefix.map("^{}".format), prefix, st.tuples(prefix, prefix).map(" || ".join)).filter(
    understood
)


@given(asked, prefix, st.lists(number, max_size=3))
def test_a_prefix_is_allowed_if_all_that_begin_so_are_and_met_if_one_is(text: str, begin: str, rest: list[int]) -> None:
    constraint, version = parse(text), ".".join([begin, *map(str, rest)])
    if constraint.allows(begin):
        assert constraint.includes(version)
        assert constraint.meets(begin)
    if constraint.includes(version):
        assert constraint.meets(begin)
    assert constraint.intersects(parse(begin)) == constraint.meets(begin)


@given(asked, asked, st.lists(full, min_size=1, max_size=10))
def test_what_both_include_makes_them_intersect(one: str, two: str, versions: list[str]) -> None:
    first, second = parse(one), parse(two)
    both = [version for version in versions if first.includes(version) and second.includes(version)]
    assert not both or first.intersects(second)
    assert first.intersects(second) == second.intersects(first)
    assert parse(f"{one} || {two}").spans == parse(f"{two} || {one}").spans


@given(asked)
def test_ranges_are_sorted_and_apart(text: str) -> None:
    spans = parse(text).spans
    assert all(one.high is not None and one.high < two.low for one, two in pairwise(spans))
    assert all(span.high is None or span.low < span.high for span in spans)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("3.11", ["3.11.0", "3.11.9"], ["3.1.1", "3.12.0", "3.110.0"]),
        ("3.11.4", ["3.11.4"], ["3.11.5", "3.11.40"]),
        (">=3.10,<3.13", ["3.10.0", "3.12.9"], ["3.9.9", "3.13.0"]),
        ("^20", ["20.0.0", "20.19.2"], ["19.9.9", "21.0.0"]),
        ("~1.22", ["go1.22", "go1.22.12"], ["go1.23", "go1.21.9"]),
        ("~=3.9", ["3.9.0", "3.14.1"], ["3.8.9", "4.0.0"]),
        ("~> 3.1", ["3.1.2p20", "3.4.1"], ["3.0.9", "4.0.0"]),
        ("20.x", ["v20.11.1"], ["v22.0.0"]),
        (">=18 <21", ["18.0.0", "20.9.9"], ["21.0.0"]),
        (">= 18.12 < 21 || ^22", ["18.12.0", "22.3.0"], ["21.1.0", "18.11.0"]),
        ("18 || 20", ["18.20.4", "20.1.0"], ["19.1.0"]),
        ("^8.1|^8.2", ["8.1.0", "8.4.1"], ["8.0.9", "9.0.0"]),
        ("18 - 20", ["18.0.0", "20.19.0"], ["21.0.0"]),
        (">=20 <22.0.0-0", ["21.9.9"], ["22.0.0"]),
        ("!=3.11.4", ["3.11.3", "3.11.5", "2.7.18"], ["3.11.4"]),
        (">3.10", ["3.11.0"], ["3.10.9"]),
        ("<=3.12", ["3.12.9"], ["3.13.0"]),
        ("*", ["0.0.1", "99.9.9"], []),
        ("^0.2.3", ["0.2.9"], ["0.3.0", "0.2.2"]),
    ],
)
def test_what_a_text_asks_for(text: str, inside: list[str], outside: list[str]) -> None:
    constraint = parse(text)
    assert [version for version in inside if not constraint.includes(version)] == []
    assert [version for version in outside if constraint.includes(version)] == []
    assert constraint.anything == (text == "*")
    assert check(text) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("foo", "not a version or a range"),
        ("lts/*", "not a version or a range"),
        ("3..1", "not a version or a range"),
        ("3 .1", "not a version or a range"),
        ("20.x.1", "not a version or a range"),
        ("18\n20", "not a version or a range"),
        ("\u0663.\u0661", "not a version or a range"),
        (">=3.13-dev", "before a release"),
        ("3.14.0rc1", "before a release"),
        ("22.0.0-nightly20240101", "before a release"),
        (">=18 ||", "an alternative is empty"),
        ("<3 >4", "no version can be all of this"),
        ("18, 20", "no version can be all of this"),
        ("9" * 10, "not a version or a range"),
        ("1 || " * LENGTH_MAX, "is longer than"),
    ],
)
def test_what_is_no_constraint_says_what_to_write(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=rf'{what}.*; write it as "3.11", "3.11.4"'):
        parse(text)


def test_a_compatible_release_of_one_number_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r'"~=3" leaves open what may change; write "\^3"'):
        parse("~=3")


@given(st.text(max_size=30))
def test_any_text_is_a_constraint_or_says_what_to_write(text: str) -> None:
    said = ""
    try:
        assert parse(text).spans
    except ValueError as error:
        said = str(error)
    assert not said or "; write " in said


def test_the_newest_of_those_that_there_are() -> None:
    there = ["20.9.0", "20.11.1", "22.1.0", "18.20.4"]
    assert parse("<22").newest(there) == "20.11.1"
    assert parse("^19").newest(there) is None


@pytest.mark.parametrize(
    ("said", "numbers_"),
    [("v20.11.1", (20, 11, 1)), ("go1.22", (1, 22)), ("3.1.2p20", (3, 1, 2)), ("OpenJDK 17.0.15+6", (17, 0, 15))],
)
def test_the_numbers_of_what_a_program_says(said: str, numbers_: tuple[int, ...]) -> None:
    assert numbers(said) == numbers_


def test_a_version_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="not a version"):
        numbers("none at all")
