"""A big file is sent so that an edit never waits long behind it: few pieces at once where a line is slow."""

import stat
from types import SimpleNamespace

import pytest

from devbox.sync import bulk
from devbox.sync.core.entry import PACKED, Entry, Kind, Side, Stamp
from devbox.sync.endpoint import CHUNK, Answer, Chunk, Code, Commit, Read, Request
from devbox.sync.pace import MOST, SHORT, Pace
from devbox.sync.rows import Node

PIECES = 40
SIZE = PIECES * CHUNK - 1
FILE = Entry(Kind.FILE, b"d" * 32)
STAMP = Stamp(stat.S_IFREG | 0o644, SIZE, 1, 1, 1)


@pytest.mark.parametrize(
    ("each", "pieces"), [(0.0, MOST), (SHORT * 0.24, MOST), (SHORT * 0.49, 2), (SHORT * 0.7, 1), (SHORT * 100, 1)]
)
def test_so_much_is_on_its_way_as_is_there_in_a_short_time(each: float, pieces: int) -> None:
    pace = Pace()
    assert pace.pieces == 1, "nothing is known of the line yet"
    pace.took(3 * each, 3)
    assert pace.pieces == pieces


def answer(request: Request, there: int) -> Answer:
    return Answer(data=bytes(request.length)) if isinstance(request, Read) else Answer(stamp=STAMP._replace(size=there))


def sent(monkeypatch: pytest.MonkeyPatch, each: float, *, there: int = 0) -> list[list[Chunk]]:
    """Send a file over a line that takes `each` seconds for a chunk; return what was on its way at once."""
    now = 0.0
    monkeypatch.setattr(bulk, "time", SimpleNamespace(monotonic=lambda: now))
    node = Node(b"big", Node(b"", None))
    node.host, node.host_stamp = FILE, PACKED.pack(*STAMP)
    work = bulk.send_big(Side.GUEST, node, FILE, None, b"")
    rounds: list[list[Chunk]] = []
    asks = next(work)
    while not isinstance(asks[0].request, Commit):
        chunks = [ask.request for ask in asks if isinstance(ask.request, Chunk)]
        rounds += [chunks] if chunks else []
        now += len(chunks) * each
        asks = work.send([answer(ask.request, there) for ask in asks])
    with pytest.raises(StopIteration) as end:
        work.send([Answer()])
    assert end.value.value.answer.code is Code.DONE
    return rounds


@pytest.mark.parametrize("there", [0, 3 * CHUNK + 5, SIZE])
@pytest.mark.parametrize(("each", "most"), [(0.0, MOST), (SHORT * 0.49, 2), (SHORT, 1), (60.0, 1)])
def test_every_piece_that_is_missing_goes_once_and_few_at_once_over_a_slow_line(
    monkeypatch: pytest.MonkeyPatch, each: float, most: int, there: int
) -> None:
    rounds = sent(monkeypatch, each, there=there)
    chunks = [chunk for some in rounds for chunk in some]
    assert [chunk.offset for chunk in chunks] == list(range(there // CHUNK * CHUNK, SIZE, CHUNK))
    assert sum(len(chunk.data) for chunk in chunks) == SIZE - there // CHUNK * CHUNK
    assert max((len(some) for some in rounds), default=most) <= most
    if not there:
        assert [len(some) for some in rounds[:2]] == [1, 1], "nothing is known of the line yet"
        assert {len(some) for some in rounds[2:-1]} == {most}
