"""devbox.lock from the first `up` on: written, kept to, renewed, folded."""

import os
from dataclasses import replace

import pytest

from devbox import paths
from devbox.profile.lock_file import parse, render
from tests.integration.lock.conftest import Shelf
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project

pytestmark = pytest.mark.docker


def test_the_first_up_writes_it_and_the_second_has_nothing_to_do(shelf: Shelf) -> None:
    first = shelf.devbox("up")
    assert first.stderr.count("devbox.lock is written") == 1
    assert shelf.versions() == {"apple": "1"}
    text = shelf.lock.read_text()
    shelf.archive.packages_asked()
    second = shelf.devbox("up")
    assert second.stdout.strip() == "nothing to do"
    assert "devbox.lock" not in second.stderr
    assert shelf.lock.read_text() == text
    assert shelf.archive.asked == []
    assert shelf.devbox.json("status")["stale"] is False


@pytest.mark.network
def test_the_hot_path_may_be_taken_directly_after_it_was_written() -> None:
    with project(invoker()) as devbox:
        (devbox.directory / "devbox.toml").write_text('base.image = "debian:12"\n')
        devbox("up")
        assert (devbox.directory / "devbox.lock").exists()
        assert _record(devbox)["plan"] == "1"
        nowhere = replace(devbox, variables={"DEVBOX_DEBIAN_MIRROR": "http://nowhere.invalid/debian"})
        assert nowhere("up").stdout.strip() == "nothing to do"
        text = (devbox.directory / "devbox.lock").read_text()
        (devbox.directory / "devbox.lock").write_text(text + "# by hand\n")
        assert devbox.json("up")["changed"] is False
        assert (devbox.directory / "devbox.lock").read_text() == text


@pytest.mark.usefixtures("neighbour")
def test_a_package_that_is_added_is_a_group_of_its_own_and_folds(shelf: Shelf) -> None:
    shelf.devbox("up")
    shelf.archive.add("apple", "2")
    shelf.archive.add("plum", depends="stone")
    shelf.archive.add("stone")
    shelf.write("apple", "plum")
    added = shelf.devbox("up").stderr
    assert "devbox.lock is brought up to date: packages.system plum is not locked" in added
    assert [(one.asked, len(one.packages)) for one in shelf.platform().groups] == [(("apple",), 1), (("plum",), 2)]
    assert shelf.versions() == {"apple": "1", "plum": "1", "stone": "1"}, "adding moves nothing else"
    shelf.devbox("verify", "--write", "before")
    shelf.archive.asked.clear()
    assert shelf.devbox.json("lock", "--compact")["changed"] is True
    assert [one.asked for one in shelf.platform().groups] == [("apple", "plum")]
    assert shelf.versions() == {"apple": "1", "plum": "1", "stone": "1"}
    assert shelf.archive.asked == [], "the files are in the cache, and no list is read"
    assert shelf.devbox.json("verify", "--against", "before")["identical"] is True
    assert shelf.devbox.json("lock", "--compact")["changed"] is False
    shelf.write("apple")
    assert "without plum" in shelf.devbox("up").stderr
    assert shelf.devbox("exec", "--", "ls", "/usr/share/stone", status=2).stdout == ""
    shelf.devbox("verify", "--write", "before")
    shelf.devbox("lock", "--compact")
    assert shelf.devbox.json("verify", "--against", "before")["identical"] is True


def test_update_looks_up_everything_or_one_name(shelf: Shelf) -> None:
    shelf.write("apple", "pear")
    shelf.devbox("up")
    shelf.archive.add("apple", "2")
    shelf.archive.add("pear", "2")
    assert shelf.devbox.json("lock")["changed"] is False, "what fits stays as it is"
    done = shelf.devbox.json("lock", "--update", "pear")
    assert (done["changed"], done["path"]) == (True, str(shelf.lock))
    assert shelf.versions() == {"apple": "1", "pear": "2"}
    assert "has no grape" in shelf.devbox("lock", "--update", "grape", status=2).stderr
    shelf.devbox("lock", "--update")
    assert shelf.versions() == {"apple": "2", "pear": "2"}
    status = shelf.devbox.json("status")
    assert status["stale"] is True, "what runs is of the lock before"
    assert shelf.holds("apple", "pear") == "1\n1\n"
    shelf.devbox("up")
    assert shelf.holds("apple", "pear") == "2\n2\n"
    assert shelf.devbox.json("status")["stale"] is False


def test_an_older_lock_of_version_control_is_what_one_gets(shelf: Shelf) -> None:
    shelf.devbox("up")
    old = shelf.lock.read_text()
    shelf.archive.add("apple", "2")
    shelf.devbox("lock", "--update")
    shelf.devbox("up")
    assert shelf.holds("apple") == "2\n"
    shelf.lock.write_text(old)
    assert shelf.devbox.json("status")["stale"] is True
    again = shelf.devbox("up")
    assert shelf.holds("apple") == "1\n"
    assert "system packages" not in again.stderr, "its layers are still there"
    assert shelf.lock.read_text() == old


def test_many_groups_fold_by_themselves_before_the_image_gets_too_deep(shelf: Shelf) -> None:
    shelf.devbox("up")
    lock = parse(shelf.lock.read_text())
    [(machine, platform)] = lock.platforms.items()
    group = platform.groups[0]
    many = tuple(replace(group, asked=(f"apple{index}",) if index else group.asked) for index in range(100))
    shelf.lock.write_text(render(replace(lock, platforms={machine: replace(platform, groups=many)})))
    shelf.write("apple", *(f"apple{index}" for index in range(1, 100)))
    done = shelf.devbox("build", status=1)  # there are no such packages; that is found out after the folding
    assert done.stderr.count("100 groups of system packages are folded") == 1


def test_it_is_the_projects_owners_and_as_the_umask_wants_it(shelf: Shelf) -> None:
    if os.getuid() == 0:
        os.chown(shelf.devbox.directory, 54321, 54321)
    before = os.umask(0o027)
    try:
        shelf.devbox("up")
    finally:
        os.umask(before)
    found = shelf.lock.stat()
    assert found.st_mode & 0o777 == 0o640
    assert found.st_uid == shelf.devbox.directory.stat().st_uid
    shelf.lock.chmod(0o664)
    shelf.archive.add("apple", "2")
    shelf.devbox("lock", "--update")
    assert shelf.lock.stat().st_mode & 0o777 == 0o664


def _record(devbox: Devbox) -> dict[str, str]:
    name = paths.record_file(devbox.hash).rpartition("/devbox/")[2]
    lines = (devbox.home / ".local/state/devbox" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)
