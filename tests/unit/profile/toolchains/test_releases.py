"""The table of what distributions hold, and the script that writes it from the archives' indexes."""

import pytest

from devbox.profile.toolchains import releases
from devbox.profile.toolchains.constraint import parse
from devbox.profile.toolchains.table import HELD
from scripts import releases as script

INDEX = """\
Package: python3
Version: 3.11.2-1+b1

Package: python3.11
Version: 3.11.2-6+deb12u8

Package: golang-go
Version: 2:1.19~1

Package: golang-1.19-go
Version: 1.19.8-2

Package: golang-1.20-go
Version: 1.20.4-1

Package: default-jdk-headless
Version: 2:1.17-74

Package: openjdk-8-jdk-headless
Version: 8u504-ga-1

Package: openjdk-17-jdk-headless
Version: 17.0.19+10-1~deb12u2

Package: openjdk-28-jdk-headless
Version: 28~18ea-1

Package: ruby-full
Version: 1:3.1

Package: ruby3.1
Version: 3.1.2-7+deb12u1

Package: php-cli
Version: 2:8.2+93

Package: nodejs
Version: 18.20.4+dfsg-1~deb12u2
"""
ROWS: script.Rows = {
    "python": (("3.11.2", "python3"),),
    "node": (("18.20.4", "nodejs"),),
    "go": (("1.19.8", "golang-go"), ("1.20.4", "golang-1.20-go")),
    "java": (("17", "default-jdk-headless"), ("8", "openjdk-8-jdk-headless")),
    "ruby": (("3.1.2", "ruby-full"),),
    "php": (("8.2", "php-cli"),),
}


def test_an_index_comes_to_rows() -> None:
    assert script.rows(script.packages(INDEX), moving=False) == ROWS


def test_of_a_release_that_moves_only_what_stays_is_kept() -> None:
    found = script.rows(script.packages(INDEX), moving=True)
    assert found["python"] == (("3.11", "python3"),)
    assert found["node"] == (("18", "nodejs"),)
    assert found["go"] == (("1.19", "golang-go"), ("1.20", "golang-1.20-go"))


@pytest.mark.parametrize(("release", "status"), [("debian:12", 1), ("debian:sid", 0)])
def test_a_check_names_what_differs_and_fails_for_a_stable_release(release: str, status: int) -> None:
    found = {name: dict(tools) for name, tools in HELD.items()}
    said: list[str] = []
    assert script.check(found, said.append) == 0
    assert said == []
    found[release]["node"] = (("99.1", "nodejs"),)
    assert script.check(found, said.append) == status
    assert len(said) == 1
    assert said[0].startswith(f"{release} node: the table has {HELD[release]['node'][0][0]} (nodejs)")
    assert said[0].endswith("the archive 99.1 (nodejs)")


def test_every_release_has_every_tool_and_only_versions() -> None:
    for release in HELD:
        for tool in releases.TOOLS:
            assert releases.held(release, tool), f"{release} {tool}"
            for one in releases.held(release, tool):
                assert parse(one.version).allows(one.version)
    assert set(releases.TITLES) == set(releases.TOOLS)


def test_the_default_goes_before_newer_ones_that_fit_as_well() -> None:
    (default, newer) = releases.held("debian:13", "java")
    assert (default.version, default.default, newer.version, newer.default) == ("21", True, "25", False)
    assert releases.fitting("debian:13", "java", parse(">=17")) == default
    assert releases.fitting("debian:13", "java", parse(">=22")) == newer
    assert releases.fitting("debian:13", "java", parse("17")) is None
    assert releases.fitting("debian:13", "java", parse("21.0.1")) is None, "the table does not know which 21 it is"


def test_what_is_not_known_holds_nothing() -> None:
    assert releases.held("alpine:3.20", "python") == ()
    assert not releases.known("alpine:3.20")
    assert releases.release_of("debian", "") == "debian:sid"
    assert ("debian:12", releases.held("debian:12", "ruby")[0]) in list(releases.where("ruby"))
