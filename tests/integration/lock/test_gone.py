"""What the lock names and the archive has no more: from the snapshot, from the cache, looked up again, or refused."""

from dataclasses import replace

import pytest

from tests.integration.lock.conftest import Shelf
from tests.support.packages import forget_cache

pytestmark = pytest.mark.docker


@pytest.mark.usefixtures("neighbour")
def test_what_is_gone_comes_from_the_cache_or_the_snapshot_or_is_named(shelf: Shelf) -> None:
    shelf.write("apple", "pear")
    shelf.devbox("up")
    locked = shelf.lock.read_text()
    snapshot = shelf.archive.snapshot()
    shelf.archive.add("apple", "2")
    shelf.archive.withdraw("apple")
    shelf.forget_images()
    shelf.archive.asked.clear()
    shelf.devbox("up", "--locked")
    assert shelf.archive.asked == [], "the cache has it all"
    shelf.forget_images()
    forget_cache(shelf.base)
    refused = shelf.devbox("up", "--locked", status=1)
    assert "error[lock-gone]: the lock cannot be honoured: apple 1 of the archive shelf is gone" in refused.stderr
    assert "pear" not in refused.stderr.partition("error[")[2].partition("log:")[0]
    assert shelf.lock.read_text() == locked
    dated = replace(shelf.devbox, variables={"DEVBOX_DEBIAN_SNAPSHOT": snapshot})
    dated("up", "--locked")
    assert shelf.holds("apple", "pear") == "1\n1\n"
    assert shelf.lock.read_text() == locked


def test_without_locked_what_is_gone_is_looked_up_again_and_the_rest_stays(shelf: Shelf) -> None:
    shelf.write("apple", "pear")
    shelf.devbox("up")
    shelf.archive.add("apple", "2")
    shelf.archive.add("pear", "2")
    shelf.archive.withdraw("apple")
    shelf.forget_images()
    forget_cache(shelf.base)
    done = shelf.devbox("up")
    assert "warning: apple 1 of the archive shelf is gone: looked up again" in done.stderr
    assert shelf.versions() == {"apple": "2", "pear": "1"}
    assert shelf.holds("apple", "pear") == "2\n1\n"
    assert shelf.devbox.json("up")["changed"] is False


def test_lists_of_an_hour_ago_do_not_make_a_lock_of_what_is_gone(shelf: Shelf) -> None:
    shelf.devbox("up")
    shelf.archive.add("pear", "2")
    shelf.archive.withdraw("pear")
    shelf.write("apple", "pear")  # the list in the cache still has pear 1
    shelf.devbox("up")
    assert shelf.versions() == {"apple": "1", "pear": "2"}


def test_a_file_that_is_another_is_refused_and_kept_nowhere(shelf: Shelf) -> None:
    shelf.devbox("up")
    good = shelf.lock.read_text()
    file = shelf.archive.add("apple", says="something else")  # the same name and version
    shelf.forget_images()
    forget_cache(shelf.base)
    for words in (("up",), ("up", "--locked")):
        refused = shelf.devbox(*words, status=1)
        assert "apple 1 of the archive shelf: the archive has something else under that name" in refused.stderr
        assert "error[lock-gone]" in refused.stderr
    assert shelf.lock.read_text() == good
    shelf.archive.withdraw("apple")
    shelf.archive.add("apple")
    assert file.exists()
    shelf.devbox("up", "--locked")
    assert shelf.holds("apple") == "1\n", "what was refused is not in the cache"


def test_a_lock_whose_row_has_another_files_hash_builds_nothing(shelf: Shelf) -> None:
    shelf.write("apple", "pear")
    shelf.devbox("up")
    one, other = shelf.platform().groups[0].packages
    good = shelf.lock.read_text()
    shelf.lock.write_text(good.replace(one.sha256, other.sha256))
    refused = shelf.devbox("up", status=1)
    assert "apple 1 of the archive shelf: another SHA-256 than in devbox.lock" in refused.stderr
    shelf.lock.write_text(good)
    assert shelf.devbox.json("up")["changed"] is False
    shelf.forget_images()
    shelf.devbox("up", "--locked")
    assert shelf.holds("apple", "pear") == "1\n1\n"
