"""Put, MakeDirectory, MakeLink, Remove, Rename and SetExecutable: only if there is what is expected, in one step."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.sync.core.entry import Stamp
from devbox.sync.endpoint import (
    CHUNK,
    Code,
    MakeDirectory,
    MakeLink,
    Put,
    Remove,
    Rename,
    Request,
    SetExecutable,
)
from tests.support.ends import WHEN, End, digest, put

KEEP = b"20260101T000000Z-1/"


def test_a_new_file(end: End) -> None:
    answer = end.do(put(b"file", b"hello"))
    found = (end.tree / "file").stat()
    assert (end.tree / "file").read_bytes() == b"hello"
    assert stat.S_IMODE(found.st_mode) == 0o644
    assert found.st_mtime_ns == WHEN
    assert answer.stamp == end.stamp(b"file")


def test_an_empty_one_and_one_of_a_whole_piece(end: End) -> None:
    end.do(put(b"empty", b""))
    data = os.urandom(CHUNK)
    end.do(put(b"piece", data))
    assert end.contents() == {b"empty": b"", b"piece": data}
    assert end.refuses(put(b"more", data + b"x"))


def test_a_new_file_that_is_executable(end: End) -> None:
    end.do(put(b"file", b"hello", executable=True))
    assert stat.S_IMODE((end.tree / "file").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("mode", "executable", "then"),
    [
        (0o600, False, 0o600),
        (0o600, True, 0o700),
        (0o640, True, 0o750),
        (0o755, False, 0o644),
        (0o711, True, 0o711),
        (0o4755, True, 0o755),
        (0o2755, False, 0o644),
        (0o664, False, 0o664),
    ],
)
def test_a_mode_stays_but_for_its_executable_bits(end: End, mode: int, executable: bool, then: int) -> None:
    file = end.tree / "file"
    for request in (
        lambda: put(b"file", b"new", end.there(b"file"), executable=executable),
        lambda: SetExecutable(b"file", end.there(b"file"), executable),
    ):
        file.write_bytes(b"old")
        file.chmod(mode)
        answer = end.do(request())
        assert stat.S_IMODE(file.stat().st_mode) == then
        assert answer.stamp == end.stamp(b"file")


def test_content_with_another_digest_is_not_put(end: End) -> None:
    request = Put(b"file", None, b"hello", digest(b"HELLO"), executable=False, mtime=WHEN)
    assert end.ask(request).code is Code.CHANGED
    assert end.names() == {}


def test_a_file_is_replaced_and_what_it_was_is_gone(end: End) -> None:
    (end.tree / "file").write_bytes(b"old")
    answer = end.do(put(b"file", b"new", end.there(b"file")))
    assert answer.stamp == end.stamp(b"file")
    assert end.contents() == {b"file": b"new"}
    assert end.trash() == {}


def test_or_kept(end: End) -> None:
    (end.tree / "a").mkdir()
    (end.tree / "a/file").write_bytes(b"old")
    os.utime(end.tree / "a/file", ns=(WHEN, WHEN))
    end.do(put(b"a/file", b"new", end.there(b"a/file"), keep=KEEP + b"a/file"))
    assert end.trash() == {KEEP + b"a/file": b"old"}
    assert (end.tree / ".devbox/trash" / os.fsdecode(KEEP) / "a/file").stat().st_mtime_ns == WHEN
    assert (end.tree / ".devbox/.gitignore").read_text() == "*\n"
    assert end.contents() == {b"a/file": b"new"}


def test_readers_of_the_old_file_have_it_to_its_end(end: End) -> None:
    (end.tree / "file").write_bytes(b"old")
    with (end.tree / "file").open("rb") as reader:
        end.do(put(b"file", b"new", end.there(b"file")))
        assert reader.read() == b"old"


def test_a_hard_link_keeps_the_old_content(end: End, outside: Path) -> None:
    os.link(outside / "secret", end.tree / "file")
    end.do(put(b"file", b"new", end.there(b"file")))
    assert (outside / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_and_a_link_replace_each_other(end: End, outside: Path, kind: str) -> None:
    if kind == "link":
        (end.tree / "file").symlink_to(outside / "secret")
    else:
        (end.tree / "file").write_bytes(b"old")
    stamp = end.there(b"file")
    if kind == "link":
        end.do(put(b"file", b"new", stamp))
        assert not (end.tree / "file").is_symlink()
        assert end.read(b"file") == b"new"
    else:
        end.do(MakeLink(b"file", stamp, b"elsewhere", KEEP + b"file"))
        assert end.path(b"file").readlink() == Path("elsewhere")
        assert end.trash() == {KEEP + b"file": b"old"}
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_link_is_kept_as_a_link(end: End, outside: Path) -> None:
    (end.tree / "link").symlink_to(outside / "secret")
    end.do(Remove(b"link", end.there(b"link"), KEEP + b"link"))
    kept = end.tree / ".devbox/trash" / os.fsdecode(KEEP) / "link"
    assert kept.readlink() == outside / "secret"


def test_a_new_link(end: End) -> None:
    answer = end.do(MakeLink(b"link", None, b"../any/thing\xff"))
    assert os.fsencode(end.path(b"link").readlink()) == b"../any/thing\xff"
    assert answer.stamp == end.stamp(b"link")
    stamp = end.there(b"link")
    assert end.do(MakeLink(b"link", stamp, b"x")).stamp == end.stamp(b"link")
    assert end.path(b"link").readlink() == Path("x")


@pytest.mark.parametrize("target", [b"", b"a\0b"])
def test_a_link_to_nowhere_is_refused(end: End, target: bytes) -> None:
    assert end.refuses(MakeLink(b"link", None, target))
    assert end.names() == {}


def test_a_new_directory(end: End) -> None:
    answer = end.do(MakeDirectory(b"a"))
    assert stat.S_IMODE((end.tree / "a").stat().st_mode) == 0o755
    assert answer.stamp == end.stamp(b"a")
    end.do(MakeDirectory(b"a/b"))
    assert (end.tree / "a/b").is_dir()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_a_directory_is_not_made_over_anything(end: End, outside: Path, kind: str) -> None:
    match kind:
        case "file":
            (end.tree / "a").write_bytes(b"x")
        case "directory":
            (end.tree / "a").mkdir()
        case "link":
            (end.tree / "a").symlink_to(outside / "new")
    before = end.there(b"a")
    answer = end.ask(MakeDirectory(b"a"))
    assert answer.code is Code.CHANGED
    assert answer.stamp == before
    assert not (outside / "new").exists()


def test_an_empty_directory_is_removed_whatever_its_times(end: End) -> None:
    (end.tree / "a").mkdir()
    stamp = end.there(b"a")
    (end.tree / "a/x").write_bytes(b"")
    (end.tree / "a/x").unlink()
    end.do(Remove(b"a", stamp, KEEP + b"a"))
    assert not (end.tree / "a").exists()


def test_a_directory_with_something_in_it_stays(end: End) -> None:
    (end.tree / "a").mkdir()
    (end.tree / "a/x").write_bytes(b"x")
    stamp, keep = end.there(b"a"), KEEP + b"a"
    for request in (Remove(b"a", stamp, keep), put(b"a", b"new", stamp, keep=keep), MakeLink(b"a", stamp, b"x", keep)):
        answer = end.ask(request)
        assert answer.code is Code.FAILED
        assert answer.errno == errno.ENOTEMPTY
        assert end.contents() == {b"a/x": b"x"}


def test_another_directory_than_expected_stays(end: End) -> None:
    (end.tree / "a").mkdir()
    (end.tree / "b").mkdir()
    stamp = end.there(b"a")
    (end.tree / "a").rename(end.tree / "c")
    (end.tree / "b").rename(end.tree / "a")
    answer = end.ask(Remove(b"a", stamp))
    assert answer.code is Code.CHANGED
    assert answer.stamp == end.there(b"a")


def test_a_file_is_removed(end: End) -> None:
    (end.tree / "file").write_bytes(b"x")
    assert end.do(Remove(b"file", end.there(b"file"))).stamp is None
    assert end.names() == {}


def test_or_kept_when_it_is_removed(end: End) -> None:
    end.path(b"a\n\xff").mkdir()
    end.path(b"a\n\xff/x").write_bytes(b"x")
    end.do(Remove(b"a\n\xff/x", end.there(b"a\n\xff/x"), KEEP + b"a\n\xff/x"))
    assert end.contents() == {}
    assert end.trash() == {KEEP + b"a\n\xff/x": b"x"}


def test_what_cannot_be_kept_stays(end: End, outside: Path) -> None:
    (end.tree / "file").write_bytes(b"x")
    (end.tree / ".devbox").mkdir()
    (end.tree / ".devbox/trash").symlink_to(outside)
    for change in (CHANGES["remove"], CHANGES["put"], CHANGES["link"]):
        assert end.ask(change(end.there(b"file"))).code is Code.FAILED
        assert end.contents() == {b"file": b"x"}
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_nothing_in_the_trash_is_overwritten(end: End) -> None:
    for content in (b"1", b"2"):
        (end.tree / "file").write_bytes(content)
        answer = end.ask(Remove(b"file", end.there(b"file"), KEEP + b"file"))
    assert answer.code is Code.FAILED
    assert end.contents() == {b"file": b"2"}
    assert end.trash() == {KEEP + b"file": b"1"}


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_anything_is_renamed(end: End, kind: str) -> None:
    match kind:
        case "file":
            (end.tree / "old").write_bytes(b"x")
        case "link":
            (end.tree / "old").symlink_to("x")
        case "directory":
            (end.tree / "old").mkdir()
            (end.tree / "old/x").write_bytes(b"x")
    (end.tree / "a").mkdir()
    before = end.there(b"old")
    answer = end.do(Rename(b"old", before, b"a/new"))
    assert answer.stamp == end.there(b"a/new")
    assert end.there(b"a/new").inode == before.inode
    assert end.stamp(b"old") is None


def test_nothing_is_renamed_over_anything(end: End) -> None:
    (end.tree / "old").write_bytes(b"x")
    (end.tree / "new").write_bytes(b"y")
    answer = end.ask(Rename(b"old", end.there(b"old"), b"new"))
    assert answer.code is Code.CHANGED
    assert answer.stamp == end.there(b"new")
    assert end.contents() == {b"old": b"x", b"new": b"y"}


Ask = Callable[[Stamp], Request]
CHANGES: dict[str, Ask] = {
    "put": lambda stamp: put(b"file", b"new", stamp, keep=KEEP + b"file"),
    "link": lambda stamp: MakeLink(b"file", stamp, b"target", KEEP + b"file"),
    "remove": lambda stamp: Remove(b"file", stamp, KEEP + b"file"),
    "rename": lambda stamp: Rename(b"file", stamp, b"renamed"),
    "executable": lambda stamp: SetExecutable(b"file", stamp, executable=True),
}


def edit(file: Path) -> None:
    file.write_bytes(b"edited")


def replace(file: Path) -> None:
    found = file.stat()
    other = file.with_name("other")
    other.write_bytes(b"Hello")
    os.utime(other, ns=(found.st_mtime_ns, found.st_mtime_ns))
    other.rename(file)


def to_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def to_link(file: Path) -> None:
    file.rename(file.with_name("moved"))
    file.symlink_to("moved")


MEANWHILE: dict[str, Callable[[Path], object]] = {
    "edited": edit,
    "replaced": replace,
    "removed": Path.unlink,
    "directory": to_directory,
    "link": to_link,
    "mode": lambda file: file.chmod(0o600),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("meanwhile", MEANWHILE.values(), ids=MEANWHILE)
def test_what_is_not_as_expected_stays_as_it_is(end: End, change: Ask, meanwhile: Callable[[Path], object]) -> None:
    (end.tree / "file").write_bytes(b"hello")
    stamp = end.there(b"file")
    meanwhile(end.tree / "file")
    names, contents = end.names(), end.contents()
    answer = end.ask(change(stamp))
    assert answer.code is Code.CHANGED
    assert answer.stamp == end.stamp(b"file")
    assert end.names() == names
    assert end.contents() == contents
    assert end.trash() == {}


@pytest.mark.parametrize("change", [put(b"file", b"new"), MakeLink(b"file", None, b"x"), MakeDirectory(b"file")])
@pytest.mark.parametrize("kind", ["file", "link", "fifo", "directory"])
def test_where_nothing_is_expected_something_stays(end: End, change: Request, kind: str) -> None:
    match kind:
        case "file":
            (end.tree / "file").write_bytes(b"mine")
        case "link":
            (end.tree / "file").symlink_to("nowhere")
        case "fifo":
            os.mkfifo(end.tree / "file")
        case "directory":
            (end.tree / "file").mkdir()
    before = end.there(b"file")
    answer = end.ask(change)
    assert answer.code is Code.CHANGED
    assert answer.stamp == before == end.there(b"file")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_neither_file_nor_link_nor_directory_is_never_touched(end: End, change: Ask) -> None:
    os.mkfifo(end.tree / "file")
    before = end.there(b"file")
    assert end.ask(change(before)).code in (Code.REFUSED, Code.CHANGED)
    assert end.there(b"file") == before


def test_without_its_directory_nothing_is_made(end: End) -> None:
    for request in (put(b"a/file", b"new"), MakeLink(b"a/file", None, b"x"), MakeDirectory(b"a/file")):
        answer = end.ask(request)
        assert answer.code is Code.FAILED
        assert answer.errno == errno.ENOENT


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_when_the_directory_is_gone_nothing_is_there(end: End, change: Ask) -> None:
    (end.tree / "a").mkdir()
    (end.tree / "a/file").write_bytes(b"x")
    request = change(end.there(b"a/file"))._replace(path=b"a/file")
    (end.tree / "a").rename(end.tree / "b")
    answer = end.ask(request)
    assert answer.code is Code.CHANGED
    assert answer.stamp is None
    assert end.contents() == {b"b/file": b"x"}


@pytest.mark.parametrize("name", [b"a\nb", b"\xff\xfe", b"x" * 255, b"-rf", b" ", b"..."])
def test_any_name_can_be_put_kept_renamed_and_removed(end: End, name: bytes) -> None:
    end.do(MakeDirectory(name))
    path = name + b"/" + name
    end.do(put(path, b"1"))
    end.do(put(path, b"2", end.there(path), keep=KEEP + path))
    end.do(SetExecutable(path, end.there(path), executable=True))
    end.do(Rename(path, end.there(path), name + b"/other"))
    assert end.contents() == {name + b"/other": b"2"}
    end.do(Remove(name + b"/other", end.there(name + b"/other")))
    end.do(Remove(name, end.there(name)))
    assert end.trash() == {KEEP + path: b"1"}
