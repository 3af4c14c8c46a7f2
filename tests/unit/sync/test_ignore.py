import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.sync.core.ignore import LONGEST, MOST, Ignore
from devbox.sync.core.modes import Git
from devbox.sync.core.patterns import PatternError, pattern, segment

GITIGNORE = b"""
__pycache__/
*.py[cod]
*$py.class
*.so
build/
/dist
*.egg-info/
.env
docs/_build/
*.log
!keep.log
**/gen/*.c
coverage.*
"""


@pytest.mark.parametrize(
    ("path", "directory", "ignored"),
    [
        (b"src/x.pyc", False, True),
        (b"x.log", False, True),
        (b"a/keep.log", False, False),
        (b"build", True, True),
        (b"build", False, False),
        (b"a/build/x/y", False, True),
        (b"dist", False, True),
        (b"a/dist", False, False),
        (b"docs/_build", True, True),
        (b"a/docs/_build", True, False),
        (b"a/gen/x.c", False, True),
        (b"a/gen/b/x.c", False, False),
        (b"README", False, False),
    ],
)
def test_gitignore_counts(path: bytes, directory: bool, ignored: bool) -> None:
    assert Ignore({b".gitignore": GITIGNORE}).ignores(path, directory=directory) is ignored


def test_the_deeper_file_is_stronger_and_counts_below_it_alone() -> None:
    ignore = Ignore({b".gitignore": b"*.log\n", b"a/b/.gitignore": b"!x.log\n/y\n"})
    assert not ignore.ignores(b"a/b/c/x.log", directory=False)
    assert ignore.ignores(b"a/x.log", directory=False)
    assert ignore.ignores(b"a/b/y", directory=False)
    assert not ignore.ignores(b"a/b/c/y", directory=False)


def test_devboxignore_is_stronger_than_any_gitignore_and_the_profile_than_both() -> None:
    files = {b".devboxignore": b"!a.log\nsecret\n", b"d/.gitignore": b"*.log\n!secret\n"}
    assert not Ignore(files).ignores(b"d/a.log", directory=False)
    assert Ignore(files).ignores(b"d/b.log", directory=False)
    assert Ignore(files).ignores(b"d/secret", directory=False)
    profile = Ignore(files, profile=["a.log", "!/d/secret"])
    assert profile.ignores(b"d/a.log", directory=False)
    assert not profile.ignores(b"d/secret", directory=False)


def test_what_is_always_made_anew_is_ignored_until_somebody_says_otherwise() -> None:
    assert Ignore().ignores(b"web/node_modules/x/y.js", directory=False)
    assert not Ignore({b".gitignore": b"!node_modules/\n"}).ignores(b"node_modules", directory=True)
    assert not Ignore().ignores(b"target", directory=True)


def test_ours_is_ignored_whatever_anybody_says() -> None:
    ignore = Ignore({b".devboxignore": b"!*\n!/.devbox\n"}, profile=["!*"])
    assert ignore.ignores(b".devbox/trash/x", directory=False)
    assert ignore.ignores(b"a/.devbox-tmp-12", directory=False)
    assert not ignore.ignores(b"a/.devbox", directory=True)


def test_volumes_stay_inside_by_their_path_alone() -> None:
    ignore = Ignore(volumes=["data", "web/[x]", "./odd/"], profile=["!data"])
    assert ignore.ignores(b"data/x", directory=False)
    assert not ignore.ignores(b"a/data", directory=True)
    assert ignore.ignores(b"web/[x]", directory=True)
    assert not ignore.ignores(b"web/x", directory=True)
    assert ignore.ignores(b"odd/x", directory=True)


def test_git_is_ignored_by_no_gitignore() -> None:
    ignore = Ignore({b".gitignore": b".*\n*\nHEAD\n", b".git/.gitignore": b"config\n"})
    assert not ignore.ignores(b".git", directory=True)
    assert not ignore.ignores(b".git/HEAD", directory=False)
    assert not ignore.ignores(b".git/config", directory=False)
    assert ignore.ignores(b".gitx", directory=True)
    assert Ignore({b".devboxignore": b".git\n"}).ignores(b".git/HEAD", directory=False)


def test_what_git_has_while_it_works_is_not_synced() -> None:
    ignore = Ignore()
    assert ignore.ignores(b".git/index.lock", directory=False)
    assert ignore.ignores(b"sub/.git/refs/heads/x.lock", directory=False)
    assert not ignore.ignores(b".git/modules/x.lock", directory=True)
    assert ignore.ignores(b".git/objects/pack/tmp_pack_x", directory=False)
    assert not ignore.ignores(b"index.lock", directory=False)


def test_git_can_be_left_out() -> None:
    ignore = Ignore({b".devboxignore": b"!.git\n"}, git=Git.EXCLUDE)
    assert ignore.ignores(b"sub/.git/HEAD", directory=False)
    assert ignore.ignores(b".git", directory=False)


def test_another_file_makes_another_value() -> None:
    old = Ignore({b".gitignore": b"a\n", b"d/.gitignore": b"b\n"})
    assert old.ignores(b"d/b", directory=False)
    new = old.replaced({b"d/.gitignore": None, b".devboxignore": b"c\n"})
    assert not new.ignores(b"d/b", directory=False)
    assert new.ignores(b"d/c", directory=False)
    assert new.ignores(b"d/a", directory=False)
    assert old.ignores(b"d/b", directory=False)
    assert not old.ignores(b"d/c", directory=False)


def test_lines_that_mean_nothing_are_told_with_file_and_line() -> None:
    ignore = Ignore({b"d/.gitignore": b"ok\n[a\nx\\\n[[:nope:]]\n"}, profile=["fine", "[b"])
    told = [(problem.file, problem.line, problem.key) for problem in ignore.problems]
    assert told == [
        (None, None, "sync.ignore[1]"),
        ("d/.gitignore", 2, None),
        ("d/.gitignore", 3, None),
        ("d/.gitignore", 4, None),
    ]
    assert all(problem.message and problem.hint for problem in ignore.problems)
    assert ignore.ignores(b"d/ok", directory=False)


def test_a_file_that_is_too_long_is_read_up_to_a_point_and_told() -> None:
    for text in (b"a\n" + b"#" * LONGEST + b"\nb\n", b"a\n" + b"x\n" * MOST + b"b\n"):
        ignore = Ignore({b".gitignore": text})
        assert ignore.ignores(b"a", directory=False)
        assert not ignore.ignores(b"b", directory=False)
        assert [problem.file for problem in ignore.problems] == [".gitignore"]


def test_a_path_of_any_depth_has_an_answer() -> None:
    assert not Ignore({b".gitignore": b"a/**/b\n"}).ignores(b"/".join([b"c"] * 2000), directory=False)
    assert Ignore({b".gitignore": b"c/**/b\n"}).ignores(b"/".join([b"c"] * 2000 + [b"b"]), directory=False)


@pytest.mark.parametrize("glob", [b"*a*a*a*a*a*a*a*a*b", b"*?*?*?*?*?*?*?x", b"*[ab]*[ab]*[ab]*[ab]*[ab]*c"])
def test_no_pattern_makes_a_name_take_long(glob: bytes) -> None:
    begun = time.process_time()
    for _ in range(100):
        assert not segment(glob).matches(b"a" * 255)
    assert time.process_time() - begun < 1  # a backtracking matcher takes years


@given(st.lists(st.binary(max_size=30), max_size=6), st.binary(min_size=1, max_size=10))
def test_any_bytes_are_rules_or_problems(lines: list[bytes], name: bytes) -> None:
    ignore = Ignore({b".gitignore": b"\n".join(lines), b"a/.devboxignore": b"\n".join(lines)})
    for path in (name, b"a/" + name, b"a/b/" + name):
        assert ignore.ignores(path, directory=False) in (True, False)


@given(st.binary(max_size=12).filter(lambda line: b"/" not in line))
def test_a_glob_is_the_same_written_as_one_byte_sets(line: bytes) -> None:
    """What is escaped throughout finds itself and nothing else."""
    if b"\n" in line or not line or line.endswith(b"\r"):
        return
    read = pattern(b"".join(b"\\" + bytes([byte]) for byte in line))
    assert read
    assert read.segments[0].matches(line)
    assert not read.segments[0].matches(line + b"x")


def test_a_pattern_says_what_is_wrong_with_it() -> None:
    with pytest.raises(PatternError, match="bracket") as failed:
        pattern(b"a[b")
    assert failed.value.hint


def test_a_hundred_thousand_paths_take_no_time() -> None:
    ignore = Ignore({b".gitignore": GITIGNORE, b"src/.gitignore": b"/gen\n*.tmp\n"})
    begun = time.process_time()
    for number in range(2000):
        here = ignore.here(b"src/package%d/module" % number)
        for name in range(50):
            here.ignores(b"file%d.py" % name, directory=False)
    assert time.process_time() - begun < 1.5  # 0.2 s on an idle machine
