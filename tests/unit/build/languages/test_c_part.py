"""The share of C and C++ in a Recipe, as a value."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from devbox.build.languages.c import c
from tests.support.build import ALPINE, UNKNOWN
from tests.support.languages import only_step, part, setting, write

ASKED = {"packages": {"c": {}}}
ALWAYS = {"gcc", "g++", "make", "gdb", "pkg-config", "libc6-dev"}


def test_a_profile_without_c_gets_none(tmp_path: Path) -> None:
    assert c(setting(tmp_path)) is None


@pytest.mark.parametrize(
    ("manifests", "tools"),
    [
        ((), ()),
        (("Makefile",), ()),
        (("CMakeLists.txt",), ("cmake", "ninja-build")),
        (("meson.build",), ("meson", "ninja-build")),
        (("configure.ac", "Makefile.am"), ("autoconf", "automake", "libtool")),
    ],
)
def test_what_a_project_is_built_with_is_there(tmp_path: Path, manifests: Iterable[str], tools: Iterable[str]) -> None:
    write(tmp_path, dict.fromkeys(manifests, "x"))
    assert set(part(c, setting(tmp_path, **ASKED)).system) == {*ALWAYS, *tools}


def test_the_names_are_those_of_the_distribution(tmp_path: Path) -> None:
    write(tmp_path, {"CMakeLists.txt": ""})
    assert "samurai" in part(c, setting(tmp_path, base=ALPINE, **ASKED)).system
    assert part(c, setting(tmp_path, base=UNKNOWN, **ASKED)).system == ()


def test_what_cmake_and_meson_build_stays_inside(tmp_path: Path) -> None:
    write(tmp_path, {"CMakeLists.txt": "one"})
    found = part(c, setting(tmp_path, **ASKED))
    assert found.volumes == ("build",)
    step = only_step(found)
    assert "chown -R -h 1000:1000 /workspaces/shop/build" in step.script
    write(tmp_path, {"CMakeLists.txt": "another", "build/CMakeCache.txt": "the host's"})
    assert part(c, setting(tmp_path, **ASKED)) == found


def test_a_directory_of_the_sources_is_no_place_to_build_in(tmp_path: Path) -> None:
    write(tmp_path, {"CMakeLists.txt": "", "build/helpers.cmake": ""})
    found = part(c, setting(tmp_path, **ASKED))
    assert (found.volumes, found.chain) == ((), ())


def test_make_builds_where_it_always_does(tmp_path: Path) -> None:
    write(tmp_path, {"Makefile": ""})
    assert part(c, setting(tmp_path, **ASKED)).volumes == ()
