"""Mark and identity: what root it is."""

import shutil
from pathlib import Path

import pytest

from devbox.sync.endpoint import Code, Mark
from tests.support.ends import End


def test_a_root_is_told_from_another_at_the_same_path(end: End) -> None:
    first = end.endpoint.identity
    end.reopen()
    assert end.endpoint.identity == first
    end.tree.rename(end.tree.with_name("before"))
    end.tree.mkdir()
    end.reopen()
    assert end.endpoint.identity != first
    before = end.tree.with_name("before").stat()
    assert (first.device, first.inode) == (before.st_dev, before.st_ino)


def test_a_new_root_has_no_nonce(end: End) -> None:
    assert end.endpoint.identity.nonce == b""


def test_a_nonce_is_there_for_whoever_opens_the_root_next(end: End) -> None:
    end.do(Mark(b"one"))
    end.reopen()
    assert end.endpoint.identity.nonce == b"one"
    end.do(Mark(b"another"))
    end.reopen()
    assert end.endpoint.identity.nonce == b"another"
    assert (end.tree / ".devbox/.gitignore").read_text() == "*\n"


def test_a_root_that_was_emptied_has_none_any_more(end: End) -> None:
    end.do(Mark(b"one"))
    for path in end.tree.iterdir():
        shutil.rmtree(path)
    end.reopen()
    assert end.endpoint.identity.nonce == b""


@pytest.mark.parametrize("nonce", [b"", b"x" * 10_000])
def test_a_nonce_of_no_sense_is_refused(end: End, nonce: bytes) -> None:
    assert end.refuses(Mark(nonce))


def test_a_nonce_behind_a_link_is_none_and_is_not_written_through(end: End, outside: Path) -> None:
    (end.tree / ".devbox").symlink_to(outside)
    assert end.ask(Mark(b"one")).code is Code.FAILED
    end.reopen()
    assert end.endpoint.identity.nonce == b""
    assert [path.name for path in outside.iterdir()] == ["secret"]
