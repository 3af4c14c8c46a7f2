"""A change that does not come to its end: what was there before it is never removed, whatever name it has by then."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox import confined
from devbox.sync import swap
from devbox.sync.core.names import TEMPORARY, UPLOAD
from devbox.sync.endpoint import CHUNK, Begin, Chunk, Code, Commit, MakeLink, Request
from devbox.sync.host import HostEndpoint
from tests.support.ends import WHEN, End, digest, put
from tests.support.sync_bed import Bed, eventually, flushed, trash, tree

BIG = b"new" * CHUNK
NAMES = {"16": os.fsdecode(TEMPORARY) + "0123456789abcdef", "32": os.fsdecode(TEMPORARY) + "0123456789abcdef" * 2}


@pytest.fixture
def end(tmp_path: Path) -> End:
    return End(tmp_path, HostEndpoint)


def changes(end: End) -> dict[str, Request]:
    there = end.there(b"file")
    return {
        "put": put(b"file", b"new", there),
        "link": MakeLink(b"file", there, b"target"),
        "commit": Commit(1, b"file", there, len(BIG), digest(BIG), executable=False, mtime=WHEN),
    }


def begun(end: End) -> None:
    end.do(Begin(1, b"file", digest(BIG)))
    for start in range(0, len(BIG), CHUNK):
        end.do(Chunk(1, start, BIG[start : start + CHUNK]))


def left(end: End) -> dict[bytes, bytes]:
    """What is under temporary names."""
    files = [path for path in end.tree.iterdir() if path.name.startswith(os.fsdecode(TEMPORARY))]
    return {os.fsencode(path.name): path.read_bytes() for path in files if not path.is_symlink()}


@pytest.mark.parametrize("kind", ["put", "link", "commit"])
def test_what_is_ended_amid_a_swap_leaves_what_was_there(end: End, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(point: str) -> None:
        if point == "amid the swap":
            raise KeyboardInterrupt

    (end.tree / "file").write_bytes(b"old")
    begun(end)
    monkeypatch.setattr(swap, "fault", ends)
    with pytest.raises(KeyboardInterrupt):
        end.ask(changes(end)[kind])
    assert [name for name, content in left(end).items() if content == b"old" and not UPLOAD.fullmatch(name)]


@pytest.mark.parametrize("kind", ["put", "link", "commit"])
def test_what_cannot_be_put_back_is_not_removed(end: End, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[int, bytes, int, bytes], None] = confined.exchange
    tried: list[bytes] = []

    def fails_at_last(from_dir: int, name: bytes, to_dir: int, other: bytes) -> None:
        tried.append(name)
        if len(tried) == 2:
            raise OSError(errno.EIO, "the disk fails")
        (end.tree / "file").write_bytes(b"saved just now")
        real(from_dir, name, to_dir, other)

    (end.tree / "file").write_bytes(b"old")
    begun(end)
    request = changes(end)[kind]
    monkeypatch.setattr(confined, "exchange", fails_at_last)
    assert end.ask(request).code is Code.FAILED
    assert len(tried) == 2
    assert b"saved just now" in left(end).values()


@pytest.mark.parametrize("side", ["host", "guest"])
def test_what_a_session_that_was_killed_left_goes_to_the_trash_but_for_uploads(tmp_path: Path, side: str) -> None:
    bed = Bed(tmp_path)
    root: Path = getattr(bed, side)
    (root / "d").mkdir()
    found = {f"d/{NAMES['16']}": b"by a swap", f"{NAMES['16']}~": b"by steps", f"d/{NAMES['32']}~": b"of an upload"}
    for name, content in {**found, f"d/{NAMES['32']}": b"a part"}.items():
        (root / name).write_bytes(content)
    with bed.running() as session:
        flushed(session)
        eventually(lambda: set(tree(root)) == {"d"})
    assert sorted(trash(root)) == sorted(found.values())
    names = {str(path.relative_to(path.parents[1])) for path in (root / ".devbox/trash").glob("*/d/*")}
    assert names == {"d/rescued-0123456789abcdef", "d/rescued-" + "0123456789abcdef" * 2 + "~"}
