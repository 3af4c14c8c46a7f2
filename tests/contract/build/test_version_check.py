"""A version that a program says of itself is looked at in shell as it is in Python."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbox.build.steps.version import version_check
from devbox.profile.toolchains.constraint import parse

number = st.integers(min_value=0, max_value=12)
version = st.lists(number, min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
TEXTS = ["3.11", ">=3.10,<3.13", "^0.9", "~1.9", "!=3.11.4", "18 || 20", ">9.9", "<=10.2", "3.9.0", "0.*", "10.10.10"]


def passes(text: str, said: list[str]) -> list[str]:
    """Return those of `said` that the lines let through."""
    lines = "\n".join(version_check(parse(text), "continue"))
    script = f'set -eu\nfor have do\n{lines}\necho "$have"\ndone\n'
    done = subprocess.run(["/bin/sh", "-c", script, "sh", *said], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@given(st.sampled_from(TEXTS), st.lists(version, min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_shell_thinks_as_python_does(text: str, said: list[str]) -> None:
    assert passes(text, said) == [one for one in said if parse(text).includes(one)]


@pytest.mark.parametrize("said", ["v20.11.1", "go1.22.1 linux/amd64", "ruby 3.1.2p20 (2022-04-12)", "17.0.15+6-Debian"])
def test_what_programs_say_around_it_does_not_count(said: str) -> None:
    number = str(parse("*").newest([said]))
    assert number == said
    assert passes("<3", [said]) == ([said] if "1.22" in said else [])
    assert passes(">=3", [said]) == ([] if "1.22" in said else [said])


def test_what_says_no_version_is_none() -> None:
    assert passes(">=1", ["", "unknown"]) == []
    assert version_check(parse("*"), "exit 1") == []
