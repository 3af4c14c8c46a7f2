"""Stat, List, Read and Hash: what is there, and nothing but that."""

import errno
import os
import socket
from pathlib import Path

import pytest

from devbox.sync.endpoint import CHUNK, Code, Hash, List, Read, Stat
from tests.support.ends import WHEN, End, digest


def stamp_on_disk(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def test_a_file_is_seen_as_the_file_system_has_it(end: End) -> None:
    (end.tree / "file").write_bytes(b"hello")
    os.utime(end.tree / "file", ns=(WHEN, WHEN))
    (found,) = end.do(Stat(b"file")).found
    assert found.name == b""
    assert tuple(found.stamp) == stamp_on_disk(end.tree / "file")
    assert found.stamp.mtime == WHEN


def test_the_root_is_a_directory(end: End) -> None:
    (found,) = end.do(Stat(b"")).found
    assert tuple(found.stamp) == stamp_on_disk(end.tree)


def test_a_link_is_seen_itself(end: End) -> None:
    (end.tree / "link").symlink_to("../outside")
    (found,) = end.do(Stat(b"link")).found
    assert found.target == b"../outside"
    assert tuple(found.stamp) == stamp_on_disk(end.tree / "link")


@pytest.mark.parametrize("path", [b"nothing", b"nothing/below", b"file/below", b"link/secret"])
def test_what_is_not_there_is_no_failure(end: End, outside: Path, path: bytes) -> None:
    (end.tree / "file").write_bytes(b"")
    (end.tree / "link").symlink_to(outside)
    assert end.do(Stat(path)).found == ()


def test_a_list_has_every_name(end: End) -> None:
    (end.tree / "file").write_bytes(b"hello")
    (end.tree / "directory").mkdir()
    (end.tree / "link").symlink_to("file")
    os.mkfifo(end.tree / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        here = Path.cwd()
        os.chdir(end.tree)  # the path may be too long for a socket
        plug.bind("socket")
        os.chdir(here)
        answer = end.do(List(b""))
    assert answer.stamp is not None
    assert tuple(answer.stamp) == stamp_on_disk(end.tree)
    assert {found.name for found in answer.found} == {b"file", b"directory", b"link", b"fifo", b"socket"}
    for found in answer.found:
        assert tuple(found.stamp) == stamp_on_disk(end.path(found.name))
        assert found.target == (b"file" if found.name == b"link" else b"")


def test_a_long_list_comes_whole(end: End) -> None:
    names = {b"%05d-" % number + b"n" * 200 for number in range(3000)}
    (end.tree / "directory").mkdir()
    for name in names:
        os.mknod(end.path(b"directory/" + name))
    assert set(end.names(b"directory")) == names


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        (b"nothing", {errno.ENOENT}),
        (b"file", {errno.ENOTDIR}),
        (b"link", {errno.ELOOP, errno.ENOTDIR}),
        (b"link/inside", {errno.ELOOP, errno.ENOTDIR}),
    ],
)
def test_what_is_no_directory_cannot_be_listed(end: End, outside: Path, path: bytes, numbers: set[int]) -> None:
    (outside / "inside").mkdir()
    (end.tree / "file").write_bytes(b"")
    (end.tree / "link").symlink_to(outside)
    for watch in (False, True):
        answer = end.ask(List(path, watch=watch))
        assert answer.code is Code.FAILED
        assert answer.errno in numbers


NAMES = {
    "newline": b"a\nb",
    "not UTF-8": b"\xff\xfe\x80",
    "255 bytes": b"x" * 255,
    "dash": b"-rf",
    "spaces": b" a b ",
    "dots": b"...",
    "backslash": b"c:\\x",
    "control": b"\x1b[31m",
    "quotes": b"'\"`$(x)",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_is_a_name(end: End, name: bytes) -> None:
    end.path(name).mkdir()
    end.path(name + b"/" + name).write_bytes(b"x")
    assert set(end.names()) == {name}
    assert set(end.names(name)) == {name}
    assert end.read(name + b"/" + name) == b"x"


def test_a_name_that_is_too_long_for_the_system_is_a_failure(end: End) -> None:
    answer = end.ask(List(b"x" * 256))
    assert answer.errno == errno.ENAMETOOLONG or answer.code is Code.REFUSED


def test_a_file_is_read_piece_by_piece(end: End) -> None:
    data = os.urandom(CHUNK + 1000)
    (end.tree / "file").write_bytes(data)
    stamp = end.there(b"file")
    first = end.do(Read(b"file", stamp, 0, CHUNK))
    assert first.data == data[:CHUNK]
    assert first.stamp == stamp
    assert end.do(Read(b"file", stamp, CHUNK, CHUNK)).data == data[CHUNK:]
    assert end.do(Read(b"file", stamp, 2 * CHUNK, CHUNK)).data == b""


def test_a_file_is_read_without_a_look_before(end: End) -> None:
    (end.tree / "file").write_bytes(b"hello")
    answer = end.do(Read(b"file", None, 1, 3))
    assert answer.data == b"ell"
    assert answer.stamp == end.there(b"file")


def test_another_file_than_expected_is_not_read(end: End) -> None:
    (end.tree / "file").write_bytes(b"hello")
    stamp = end.there(b"file")
    (end.tree / "other").write_bytes(b"HELLO")
    os.utime(end.tree / "other", ns=(stamp.mtime, stamp.mtime))
    (end.tree / "other").rename(end.tree / "file")
    for request in (Read(b"file", stamp, 0, 5), Hash(b"file", stamp)):
        answer = end.ask(request)
        assert answer.code is Code.CHANGED
        assert answer.stamp == end.there(b"file")
        assert answer.data == b""


def test_an_edit_of_the_same_size_with_its_old_time_is_seen(end: End) -> None:
    file = end.tree / "file"
    file.write_bytes(b"hello")
    stamp = end.there(b"file")
    while file.stat().st_ctime_ns == stamp.ctime:  # a coarse clock
        file.write_bytes(b"HELLO")
        os.utime(file, ns=(stamp.mtime, stamp.mtime))
    assert end.ask(Read(b"file", stamp, 0, 5)).code is Code.CHANGED


@pytest.mark.parametrize("kind", ["nothing", "directory", "fifo", "link", "below a link", "socket"])
def test_what_is_no_file_is_not_read_and_nobody_waits_for_it(end: End, outside: Path, kind: str) -> None:
    (end.tree / "file").write_bytes(b"x")
    stamp = end.there(b"file")
    path = b"odd"
    match kind:
        case "directory":
            (end.tree / "odd").mkdir()
        case "fifo":
            os.mkfifo(end.tree / "odd")
        case "link":
            (end.tree / "odd").symlink_to(outside / "secret")
        case "below a link":
            (end.tree / "odd").symlink_to(outside)
            path = b"odd/secret"
        case "socket":
            os.mknod(end.tree / "odd", 0o140600)
    for request in (Read(path, None, 0, 10), Read(path, stamp, 0, 10), Hash(path, stamp)):
        answer = end.ask(request)
        assert answer.code is Code.CHANGED
        assert answer.data == b""
        assert answer.stamp == end.stamp(path)


def test_more_than_a_piece_is_refused(end: End) -> None:
    (end.tree / "file").write_bytes(b"x")
    assert end.refuses(Read(b"file", None, 0, CHUNK + 1))


@pytest.mark.parametrize("size", [0, 1, 4096, CHUNK * 5 + 7])
def test_the_digest_of_a_file(end: End, size: int) -> None:
    data = os.urandom(size)
    (end.tree / "file").write_bytes(data)
    answer = end.do(Hash(b"file", end.there(b"file")))
    assert answer.data == digest(data)
    assert answer.stamp == end.there(b"file")


@pytest.mark.parametrize("size", [0, 1, 65536, 65536 * 3, 65536 * 3 + 1])
def test_the_digests_of_its_blocks(end: End, size: int) -> None:
    data = os.urandom(size)
    (end.tree / "file").write_bytes(data)
    found = end.do(Hash(b"file", end.there(b"file"), 65536)).data
    assert found == b"".join(digest(data[start : start + 65536]) for start in range(0, size, 65536))


SENSELESS = [
    b"/etc/passwd",
    b"..",
    b"../x",
    b"a/../b",
    b"a/../../b",
    b".",
    b"./a",
    b"a/.",
    b"a//b",
    b"a/",
    b"/",
    b"a\0b",
]


@pytest.mark.parametrize("path", SENSELESS)
def test_a_path_of_no_sense_is_refused(end: End, path: bytes) -> None:
    (end.tree / "a").mkdir()
    stamp = end.there(b"a")
    for request in (Stat(path), List(path), List(path, watch=True), Read(path, None, 0, 1), Hash(path, stamp)):
        assert end.refuses(request)
