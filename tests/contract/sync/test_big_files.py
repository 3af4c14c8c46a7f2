"""Begin, Chunk, Copy, Commit, Abort: a big file is out of sight until it is whole, and taken up where it was left."""

import ctypes
import errno
import os
import stat
import struct
from pathlib import Path

import pytest

from devbox.sync.core.entry import Stamp
from devbox.sync.core.names import UPLOAD
from devbox.sync.endpoint import CHUNK, Abort, Begin, Chunk, Code, Commit, Copy
from tests.support.ends import WHEN, End, digest, put

BIG = os.urandom(3 * CHUNK + 17)
IN_MOVED_TO = 0x80
KEEP = b"20260101T000000Z-1/"


def begin(end: End, path: bytes = b"big", data: bytes = BIG, handle: int = 7) -> int:
    """Begin; returns how much is there already."""
    found = end.do(Begin(handle, path, digest(data))).stamp
    assert found is not None
    return found.size


def send(end: End, data: bytes = BIG, handle: int = 7, offset: int = 0) -> None:
    for start in range(offset, len(data), CHUNK):
        end.do(Chunk(handle, start, data[start : start + CHUNK]))


def commit(path: bytes = b"big", expected: Stamp | None = None, data: bytes = BIG, **values: object) -> Commit:
    base = Commit(7, path, expected, len(data), digest(data), executable=False, mtime=WHEN)
    return base._replace(**values)


def moved_into(queue: int) -> list[bytes]:
    """The names that something came to by a rename, as Linux tells."""
    data, names = os.read(queue, 1 << 16), []
    while data:
        _, _, _, length = struct.unpack_from("iIII", data)
        names.append(data[16 : 16 + length].rstrip(b"\0"))
        data = data[16 + length :]
    return names


@pytest.mark.parametrize("end", ["guest", "by steps"], indirect=True)  # of the host's: test_interrupted
def test_what_is_replaced_never_has_the_name_of_an_upload(end: End) -> None:
    """After a kill at that moment the next session would sweep it."""
    (end.tree / "big").write_bytes(b"old")
    begin(end)
    send(end)
    libc = ctypes.CDLL(None)
    queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        assert libc.inotify_add_watch(queue, os.fsencode(end.tree), IN_MOVED_TO) > 0
        end.do(commit(expected=end.there(b"big"), keep=KEEP + b"big"))
        names = moved_into(queue)
    finally:
        os.close(queue)
    assert names
    assert [name for name in names if UPLOAD.fullmatch(name)] == []
    assert end.contents() == {b"big": BIG}
    assert end.trash() == {KEEP + b"big": b"old"}


def test_a_big_file_comes_in_pieces(end: End) -> None:
    assert begin(end) == 0
    send(end)
    assert end.contents() == {}
    answer = end.do(commit())
    assert answer.stamp == end.stamp(b"big")
    assert end.contents() == {b"big": BIG}
    found = (end.tree / "big").stat()
    assert stat.S_IMODE(found.st_mode) == 0o644
    assert found.st_mtime_ns == WHEN


def test_in_any_order_and_some_of_it_twice(end: End) -> None:
    begin(end)
    for start in (CHUNK, 0, 2 * CHUNK, 0, 3 * CHUNK):
        end.do(Chunk(7, start, BIG[start : start + CHUNK]))
    end.do(commit())
    assert end.contents() == {b"big": BIG}


def test_what_was_written_over_counts(end: End) -> None:
    begin(end)
    send(end, b"x" * len(BIG))
    send(end)
    end.do(commit())
    assert end.contents() == {b"big": BIG}


def test_it_replaces_what_is_expected(end: End) -> None:
    (end.tree / "big").write_bytes(b"old")
    (end.tree / "big").chmod(0o600)
    begin(end)
    send(end)
    end.do(commit(expected=end.there(b"big"), executable=True, keep=KEEP + b"big"))
    assert end.contents() == {b"big": BIG}
    assert end.trash() == {KEEP + b"big": b"old"}
    assert stat.S_IMODE((end.tree / "big").stat().st_mode) == 0o700


def test_and_nothing_else(end: End) -> None:
    (end.tree / "big").write_bytes(b"old")
    stamp = end.there(b"big")
    begin(end)
    send(end)
    (end.tree / "big").write_bytes(b"edited")
    answer = end.ask(commit(expected=stamp, keep=KEEP + b"big"))
    assert answer.code is Code.CHANGED
    assert answer.stamp == end.stamp(b"big")
    assert end.contents() == {b"big": b"edited"}
    assert end.trash() == {}


@pytest.mark.parametrize("wrong", [BIG[:-1], BIG[:-1] + b"?", b""], ids=["short", "other", "empty"])
def test_it_must_be_whole_and_right(end: End, wrong: bytes) -> None:
    begin(end)
    send(end, wrong)
    assert end.ask(commit()).code is Code.CHANGED
    assert end.contents() == {}


def test_any_answer_ends_the_handle(end: End) -> None:
    begin(end)
    end.do(Chunk(7, 0, BIG[:10]))
    assert end.ask(commit()).code is Code.CHANGED
    assert end.ask(Chunk(7, 0, b"x")).code is Code.REFUSED
    assert end.ask(commit()).code is Code.REFUSED
    assert end.ask(Abort(7)).code is Code.REFUSED
    begin(end)
    end.do(Abort(7))


def test_it_is_taken_up_by_another_session(end: End) -> None:
    begin(end)
    send(end, BIG[: 2 * CHUNK])
    end.reopen()
    there = begin(end, handle=8)
    assert there == 2 * CHUNK
    send(end, handle=8, offset=there)
    end.do(commit(handle=8))
    assert end.contents() == {b"big": BIG}


def test_also_when_it_was_left_on_purpose(end: End) -> None:
    begin(end)
    send(end, BIG[:CHUNK])
    end.do(Abort(7, forget=False))
    assert begin(end) == CHUNK
    end.do(Abort(7))
    assert begin(end) == 0
    end.do(Abort(7))


def test_but_not_for_another_content_or_path(end: End) -> None:
    begin(end)
    send(end, BIG[:CHUNK])
    end.reopen()
    assert begin(end, data=b"other", handle=1) == 0
    assert begin(end, path=b"other", handle=2) == 0
    assert begin(end, handle=3) == CHUNK
    for handle in (1, 2, 3):
        end.do(Abort(handle))


def test_a_link_laid_out_for_it_is_not_written_through(end: End, outside: Path) -> None:
    begin(end)
    (left,) = end.leftovers()
    end.reopen()
    end.path(left).unlink()
    end.path(left).symlink_to(outside / "secret")
    assert begin(end) == 0
    send(end)
    end.do(commit())
    assert (outside / "secret").read_bytes() == b"secret"
    assert not (end.tree / "big").is_symlink()


def test_nor_is_a_hard_link(end: End, outside: Path) -> None:
    begin(end)
    (left,) = end.leftovers()
    end.reopen()
    end.path(left).unlink()
    os.link(outside / "secret", end.path(left))
    assert begin(end) == 0
    end.do(Chunk(7, 0, b"changed"))
    end.do(Abort(7))
    assert (outside / "secret").read_bytes() == b"secret"


def test_several_at_once_and_edits_in_between(end: End) -> None:
    other = os.urandom(2 * CHUNK)
    begin(end, handle=7)
    begin(end, b"other", other, handle=8)
    for start in range(0, 2 * CHUNK, CHUNK):
        end.do(Chunk(7, start, BIG[start : start + CHUNK]))
        end.do(put(b"edit-%d" % start, b"x"))
        end.do(Chunk(8, start, other[start : start + CHUNK]))
    send(end, offset=2 * CHUNK)
    end.do(commit(b"other", data=other, handle=8))
    end.do(commit())
    assert end.contents() == {b"big": BIG, b"other": other, b"edit-0": b"x", b"edit-%d" % CHUNK: b"x"}


def test_what_is_there_already_is_copied(end: End) -> None:
    (end.tree / "base").write_bytes(BIG)
    stamp = end.there(b"base")
    new = BIG[:CHUNK] + b"changed" + BIG[CHUNK:]
    begin(end, data=new)
    end.do(Copy(7, b"base", stamp, 0, 0, CHUNK))
    end.do(Chunk(7, CHUNK, b"changed"))
    end.do(Copy(7, b"base", stamp, CHUNK, CHUNK + 7, len(BIG) - CHUNK))
    end.do(commit(data=new))
    assert end.contents() == {b"base": BIG, b"big": new}


def test_but_only_from_what_is_expected(end: End, outside: Path) -> None:
    (end.tree / "base").write_bytes(BIG)
    stamp = end.there(b"base")
    (end.tree / "out").symlink_to(outside)
    begin(end)
    assert end.ask(Copy(7, b"out/secret", stamp, 0, 0, 6)).code is Code.CHANGED
    assert end.ask(Copy(7, b"../outside/secret", stamp, 0, 0, 6)).code is Code.REFUSED
    (end.tree / "base").write_bytes(BIG[1:])
    assert end.ask(Copy(7, b"base", stamp, 0, 0, 6)).code is Code.CHANGED
    beyond = Copy(7, b"base", end.there(b"base"), 0, 0, len(BIG))
    assert end.ask(beyond).code in (Code.CHANGED, Code.REFUSED)
    end.do(Abort(7))


def test_requests_of_no_sense_are_refused(end: End) -> None:
    assert end.ask(Chunk(1, 0, b"x")).code is Code.REFUSED
    assert end.ask(Abort(1)).code is Code.REFUSED
    begin(end)
    assert end.ask(Begin(7, b"another", digest(BIG))).code is Code.REFUSED
    assert end.refuses(Chunk(7, 0, bytes(CHUNK + 1)))
    end.do(Abort(7))


def test_without_its_directory_it_does_not_begin(end: End) -> None:
    assert end.ask(Begin(7, b"a/big", digest(BIG))).errno == errno.ENOENT


def test_when_its_directory_is_moved_away_it_is_not_put_anywhere(end: End) -> None:
    (end.tree / "a").mkdir()
    begin(end, b"a/big")
    send(end)
    (end.tree / "a").rename(end.tree / "b")
    (end.tree / "a").mkdir()
    answer = end.ask(commit(b"a/big"))
    assert answer.code is Code.FAILED
    assert answer.errno == errno.ENOENT
    assert end.contents() == {}
    for leftover in end.leftovers():
        end.path(leftover).unlink()
