import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.sync.core.entry import Entry, Kind
from devbox.sync.core.modes import Git, Way
from devbox.sync.core.names import PROTECTED, Guard, escapes, fold, holds_git, is_name, is_path, unfit

FILE = Entry(Kind.FILE, b"x")
DIRECTORY = Entry(Kind.DIRECTORY)


def link(target: bytes) -> Entry:
    return Entry(Kind.LINK, target=target)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0", b"x" * 256])
def test_no_side_says_this_for_a_name(name: bytes) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", [b"a", b"...", b"-", b"a\nb", b"\xff", b" ", b"a\\..\\b", b"x" * 255, b"con", b"a."])
def test_any_other_is_a_name(name: bytes) -> None:
    assert is_name(name)


@pytest.mark.parametrize("path", [b"", b"/etc/x", b"../x", b"a/../../b", b"a/", b"a//b", b"./a", b"a/" * 2100 + b"a"])
def test_no_side_says_this_for_a_path(path: bytes) -> None:
    assert not is_path(path)


@given(st.lists(st.binary(min_size=1, max_size=20).filter(is_name), min_size=1, max_size=20))
def test_names_make_a_path(names: list[bytes]) -> None:
    assert is_path(b"/".join(names))


def test_a_host_with_names_in_unicode_cannot_have_others() -> None:
    assert unfit(b"\xff", unicode=True)
    assert unfit(b"\xff", unicode=False) is None
    assert unfit("é".encode(), unicode=True) is None


@pytest.mark.parametrize(
    ("one", "other"), [("a", "A"), ("é", "e\u0301"), ("É", "e\u0301"), ("ß", "SS"), ("K", "\u212a")]
)
def test_names_that_some_host_takes_for_one(one: str, other: str) -> None:
    assert fold(one.encode()) == fold(other.encode())


def test_other_names_stay_apart() -> None:
    assert len({fold(name) for name in (b"a", b"b", b"\xff", b"\xfe", "é".encode(), b"e")}) == 6


@pytest.mark.parametrize(
    ("path", "target", "leads_out"),
    [
        (b"a", b"b", False),
        (b"a", b"..", True),
        (b"d/a", b"..", False),
        (b"d/a", b"../../x", True),
        (b"d/a", b"./../b", False),
        (b"d/a", b"./../b/../c", True),
        (b"deep/d/s", b"../..", False),
        (b"l", b"s/../.ssh/config", True),
        (b"l", b"s/./.", False),
        (b"a", b"b/../../c", True),
        (b"a", b"/etc/passwd", True),
        (b"d/e/a", b"..//../b", False),
    ],
)
def test_a_link_that_leads_out(path: bytes, target: bytes, leads_out: bool) -> None:
    assert escapes(path, target) is leads_out


def test_the_lock_of_git() -> None:
    assert holds_git(b".git/index.lock")
    assert holds_git(b"sub/.git/index.lock")
    assert not holds_git(b".git/refs/heads/index.lock")
    assert not holds_git(b"index.lock")


PLANTED = [
    b".envrc",
    b"sub/dir/.envrc",
    b".EnvRC",
    b".vscode/tasks.json",
    b"sub/.VSCODE/Tasks.JSON",
    "sub/.v\u017fcode/tasks.json".encode(),
    b"devbox.toml",
    b"DEVBOX.TOML",
    b"sub/devbox.local.toml",
    b".idea/watcherTasks.xml",
    b".husky/pre-commit",
    b".husky/_/pre-commit",
    b".devcontainer/devcontainer.json",
    b"x.code-workspace",
    ".en\u200cvrc".encode(),
    b".envrc.",
    b".envrc ",
    b".envrc::$DATA",
]


@pytest.mark.parametrize("path", PLANTED)
def test_what_the_host_would_run_is_not_for_the_guest(path: bytes) -> None:
    for guest in (FILE, None, link(b"x")):
        assert Guard().way(path, guest) is Way.PROTECTED


@pytest.mark.parametrize(
    "path",
    [b"src/devbox.py", b".vscode/launch.json", b"tasks.json", b".gitignore", b".github/x.yml", b"a/gitter", b"x"],
)
def test_all_else_is(path: bytes) -> None:
    assert Guard().way(path, FILE) is Way.MODE


@pytest.mark.parametrize(
    "path", [b".git", b".git/HEAD", b"sub/.git/hooks/x", b".GIT/config", b"git~1/config", b".git./x"]
)
@pytest.mark.parametrize("guest", [FILE, DIRECTORY, None])
def test_git_goes_from_the_host_to_the_guest(path: bytes, guest: Entry | None) -> None:
    assert Guard().way(path, guest) is Way.HOST_TO_GUEST


@pytest.mark.parametrize(
    "path",
    [
        b".git/hooks",
        b".git/hooks/pre-commit",
        b".git/HOOKS/pre-commit",
        b".git/config",
        b".git/config.worktree",
        b".git/commondir",
        b".git/modules/x/config",
        b".git/modules/a/b/hooks/update",
        b".git/modules/refs/config",
        b".git/worktrees/w/config.worktree",
        b".git/objects/info/alternates",
        b".git/rebase-merge/git-rebase-todo",
        b"sub/.git/config",
        b"git~1/config",
        ".g\u200cit/config".encode(),
        b".git",
    ],
)
def test_a_whole_git_keeps_what_git_runs(path: bytes) -> None:
    assert Guard(Git.FULL).way(path, FILE) is Way.PROTECTED


@pytest.mark.parametrize(
    "path",
    [b".git/HEAD", b".git/refs/heads/config", b".git/logs/refs/heads/hooks", b".git/objects/ab/cdef", b".git/index"],
)
def test_the_rest_of_a_whole_git_goes_both_ways(path: bytes) -> None:
    assert Guard(Git.FULL).way(path, FILE) is Way.MODE
    assert Guard(Git.FULL).way(path, link(b"x")) is Way.PROTECTED


def test_a_directory_called_git_goes_both_ways_if_it_is_one() -> None:
    assert Guard(Git.FULL).way(b".git", DIRECTORY) is Way.MODE
    assert Guard(Git.FULL).way(b".git", link(b"evil")) is Way.PROTECTED


@pytest.mark.parametrize("path", [b".vscode", b"sub/.husky", b".claude"])
def test_no_link_comes_in_the_place_of_a_directory_with_orders(path: bytes) -> None:
    assert Guard().way(path, link(b"x")) is Way.PROTECTED
    assert Guard().way(path, DIRECTORY) is not Way.HOST_TO_GUEST


def test_a_link_that_leads_out_stays_in_the_guest() -> None:
    assert Guard().way(b"a", link(b"/etc/passwd")) is Way.PROTECTED
    assert Guard().way(b"a", link(b"b")) is Way.MODE
    assert Guard(allow=["/a"]).way(b"a", link(b"/etc/passwd")) is Way.MODE


def test_what_is_allowed_is() -> None:
    guard = Guard(allow=[".vscode/tasks.json", "devbox.toml"], more=[b"team.toml", b"profiles"])
    assert guard.way(b".vscode/tasks.json", FILE) is Way.MODE
    assert guard.way(b"sub/.vscode/tasks.json", FILE) is Way.PROTECTED
    assert guard.way(b"devbox.toml", FILE) is Way.MODE
    assert guard.way(b"Team.toml", FILE) is Way.PROTECTED
    assert guard.way(b"profiles/x/devbox", FILE) is Way.PROTECTED
    assert guard.way(b"other", FILE) is Way.MODE


def test_the_list_is_in_lower_case_as_it_is_compared() -> None:
    assert [line for line in PROTECTED if line != line.lower()] == []
