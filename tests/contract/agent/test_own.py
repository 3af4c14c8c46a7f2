"""`agent own`: directories that are root's, given to somebody. The real program, on this host."""

import os
import subprocess
from pathlib import Path

import pytest

from devbox.agent import program
from tests.support.skips import NOT_HERE


def _own(owner: str, *directories: Path) -> subprocess.CompletedProcess[str]:
    words = [str(program.binary(os.uname().machine)), "own", owner, *map(str, directories)]
    return subprocess.run(words, capture_output=True, text=True)


def _owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


@pytest.mark.parametrize("owner", ["", "1", "1:", ":1", "1:1:1", "x:1", "-1:1", "4294967295:1", "1:99999999999"])
def test_what_is_no_uid_and_gid_is_refused(tmp_path: Path, owner: str) -> None:
    done = _own(owner, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("agent: not uid:gid: ")


def test_a_path_that_is_not_absolute_is_told_to_be_none() -> None:
    done = _own("1:1", Path("a"))
    assert (done.returncode, done.stderr) == (1, "agent: a: Invalid argument\n")


def test_roots_are_given_others_stay_and_no_link_is_followed(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip(f"{NOT_HERE}only root can give something away")
    first, other, aim = tmp_path / "a" / "b", tmp_path / "other", tmp_path / "aim"
    for directory in (first, other, aim / "inner"):
        directory.mkdir(parents=True)
    os.chown(other, 5, 5)
    (tmp_path / "link").symlink_to(aim)
    (tmp_path / "file").write_text("")
    assert _own("1234:1235", first.parent, first, other).returncode == 0
    assert [_owner(one) for one in (first.parent, first, other)] == [(1234, 1235), (1234, 1235), (5, 5)]
    for refused in (tmp_path / "link", tmp_path / "link" / "inner", tmp_path / "file", tmp_path / "no", Path("a")):
        assert _own("1:1", refused).returncode == 1
    assert [_owner(one) for one in (aim, aim / "inner", tmp_path / "file")] == [(0, 0)] * 3
