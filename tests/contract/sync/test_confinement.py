"""Nothing outside the root is read or written, whatever a path says and whatever is swapped for what."""

import errno
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devbox.sync.endpoint import (
    Abort,
    Begin,
    Code,
    List,
    MakeDirectory,
    MakeLink,
    Read,
    Remove,
    Rename,
    Request,
    SetExecutable,
    Stat,
)
from tests.support.ends import End, digest, files, put

SENSELESS = [b"", b"/etc/x", b"..", b"../x", b"a/../../x", b"a/..", b".", b"a//b", b"a/", b"a\0b"]


@pytest.mark.parametrize("path", SENSELESS)
def test_a_change_at_a_path_of_no_sense_is_refused(end: End, path: bytes) -> None:
    (end.tree / "a").mkdir()
    (end.tree / "file").write_bytes(b"x")
    stamp = end.there(b"file")
    requests: list[Request] = [
        put(path, b"new"),
        put(path, b"new", stamp),
        MakeDirectory(path),
        MakeLink(path, None, b"x"),
        Remove(path, stamp),
        Rename(path, stamp, b"new"),
        Rename(b"file", stamp, path),
        SetExecutable(path, stamp, executable=True),
        Begin(1, path, digest(b"new")),
    ]
    for request in requests:
        assert end.refuses(request), request
    assert set(end.names()) == {b"a", b"file"}
    assert end.there(b"file") == stamp


@pytest.mark.parametrize("keep", [b"/etc/x", b"../x", b"a/../../x", b".", b"a//b", b"a/", b"a\0b"])
def test_so_is_a_name_of_no_sense_in_the_trash(end: End, keep: bytes) -> None:
    (end.tree / "file").write_bytes(b"x")
    stamp = end.there(b"file")
    for request in (Remove(b"file", stamp, keep), put(b"file", b"new", stamp, keep=keep)):
        assert end.refuses(request)
        assert end.contents() == {b"file": b"x"}


def test_no_link_in_a_path_is_followed(end: End, outside: Path) -> None:
    (end.tree / "out").symlink_to(outside)
    (end.tree / "up").symlink_to("..")
    (end.tree / "file").write_bytes(b"x")
    stamp = end.there(b"file")
    for path in (b"out/new", b"up/new", b"out/secret"):
        requests: list[Request] = [
            put(path, b"new"),
            MakeDirectory(path),
            MakeLink(path, None, b"x"),
            Begin(1, path, digest(b"new")),
            Rename(b"file", stamp, path),
        ]
        for request in requests:
            answer = end.ask(request)
            assert answer.code is Code.FAILED, request
            assert answer.errno in (errno.ELOOP, errno.ENOTDIR)
        for request in (put(path, b"new", stamp), Remove(path, stamp), SetExecutable(path, stamp, executable=True)):
            assert end.ask(request).code is Code.CHANGED
    assert dict(files(outside)) == {b"secret": b"secret"}
    assert end.there(b"file") == stamp


@contextmanager
def swapping(tree: Path, outside: Path) -> Iterator[None]:
    """Let `dir` of the tree be a directory and a link to `outside` by turns, as fast as can be."""
    (tree / "dir").mkdir()
    (tree / "link").symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        directory, link, spare = tree / "dir", tree / "link", tree / "spare"
        while not stop.is_set():
            directory.rename(spare)
            link.rename(directory)
            time.sleep(0.0003)
            directory.rename(link)
            spare.rename(directory)
            time.sleep(0.0003)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "tries", [pytest.param(600, marks=pytest.mark.long), pytest.param(20_000, marks=pytest.mark.nightly)]
)
def test_a_link_swapped_in_for_a_directory_leads_nowhere(end: End, outside: Path, tries: int) -> None:
    done = met = 0
    with swapping(end.tree, outside):
        for number in range(tries):
            answer = end.ask(put(b"dir/%d" % number, b"inside"))
            done += answer.code is Code.DONE
            met += answer.errno in (errno.ELOOP, errno.ENOTDIR)
            assert end.ask(Read(b"dir/secret", None, 0, 10)).data == b""
            for found in end.ask(List(b"dir")).found:
                assert found.name != b"secret"
            if answer.stamp is not None:
                end.ask(Remove(b"dir/%d" % number, answer.stamp))
            assert end.do(Stat(b"dir/secret")).found == ()
    assert dict(files(outside)) == {b"secret": b"secret"}
    assert done, "it was never a directory: nothing was tried"
    assert met, "it was never a link: nothing was tried"
    for leftover in end.leftovers():  # of a directory that went away before its file was in place
        end.path(leftover).unlink()


def test_forgetting_what_was_begun_leaves_nothing(end: End) -> None:
    end.do(Begin(1, b"file", digest(b"x")))
    end.do(Abort(1))
    assert end.names() == {}
