import sqlite3
from pathlib import Path

import pytest

from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.rows import DIRECTORY, Node, Rows, packed, unpacked
from devbox.sync.state import VERSION, State, decoded, encoded

STAMP = Stamp(0o100644, 3, -1, 1_700_000_000_123_456_789, 2**63 + 5)
FILE = Entry(Kind.FILE, digest=b"d" * 32)
ENTRIES = [
    None,
    FILE,
    FILE._replace(executable=True),
    Entry(Kind.FILE),
    DIRECTORY,
    Entry(Kind.LINK, target=b"a/\xff"),
    Entry(Kind.OTHER, reason="fifo"),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "sync.db")


def row(rows: Rows, name: bytes, base: Entry | None, host: Entry | None, guest: Entry | None) -> Node:
    node = rows.need(name)
    node.base = base
    node.put(Side.HOST, host, packed(STAMP) if host else None)
    node.put(Side.GUEST, guest, packed(STAMP) if guest else None)
    rows.changed.add(node)
    return node


def kept(path: str, rows: Rows) -> Rows:
    state = State(path)
    state.save(rows, {})
    state.close()
    state = State(path)
    found = state.load()
    state.close()
    return found


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_what_it_was(entry: Entry | None) -> None:
    assert decoded(encoded(entry)) == entry


def test_what_is_no_entry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\?"):
        decoded(b"?")


def test_a_stamp_is_what_it_was() -> None:
    assert unpacked(packed(STAMP)) == STAMP


@pytest.mark.parametrize("base", ENTRIES)
@pytest.mark.parametrize("host", ENTRIES)
def test_a_row_is_what_it_was(path: str, base: Entry | None, host: Entry | None) -> None:
    rows = Rows()
    row(rows, b"a/b", base, host, FILE)
    found = kept(path, rows).find(b"a/b")
    assert found is not None
    assert (found.base, found.host, found.guest) == (base, host, FILE)
    assert found.stamp_on(Side.GUEST) == STAMP
    assert (found.stamp_on(Side.HOST) is None) == (host is None)


def test_a_row_of_which_nothing_is_left_goes_with_the_directories_that_were_there_for_it(path: str) -> None:
    rows = Rows()
    row(rows, b"a/b", FILE, FILE, FILE)
    again = kept(path, rows)
    node = again.find(b"a/b")
    assert node is not None
    node.base = None
    for side in Side:
        node.put(side, None, None)
    again.touch(node)
    assert again.find(b"a") is None
    assert kept(path, again).find(b"a/b") is None
    assert again.count == 0


def test_an_equal_entry_is_one_object(path: str) -> None:
    rows = Rows()
    row(rows, b"a", FILE, Entry(*FILE), Entry(*FILE))
    found = kept(path, rows).find(b"a")
    assert found is not None
    assert found.base is found.host is found.guest


def test_facts_and_conflicts_are_kept(path: str) -> None:
    state = State(path)
    state.save(Rows(), {"nonce": b"\0\xff"}, {b"a": ("edited", 5)})
    state.save(Rows(), {})
    state.close()
    state = State(path)
    assert (state.facts(), state.conflicts()) == ({"nonce": b"\0\xff"}, {b"a": ("edited", 5)})
    state.close()


@pytest.mark.parametrize("content", [b"", b"no database" * 500])
def test_a_file_that_is_none_is_put_aside(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    state = State(path)
    assert state.load().count == 0
    assert bool(state.aside) == bool(content)
    if content:
        assert Path(state.aside).read_bytes() == content
    state.close()


def test_a_file_of_a_newer_devbox_is_put_aside_and_not_written_to(path: str) -> None:
    newer = sqlite3.connect(path)
    newer.execute("create table of_tomorrow (a)")
    newer.execute(f"pragma user_version = {VERSION + 1}")
    newer.close()
    before = Path(path).read_bytes()
    state = State(path)
    assert state.load().count == 0
    assert Path(state.aside).read_bytes() == before
    state.close()


def test_a_row_that_cannot_be_understood_puts_the_file_aside(path: str) -> None:
    rows = Rows()
    row(rows, b"a", FILE, FILE, FILE)
    state = State(path)
    state.save(rows, {})
    state.close()
    spoilt = sqlite3.connect(path)
    spoilt.execute("update rows set base = x'3f'")
    spoilt.commit()
    spoilt.close()
    state = State(path)
    assert state.load().count == 0
    assert state.aside
    state.close()


def test_two_files_can_be_put_aside(path: str) -> None:
    found = set()
    for _ in range(2):
        Path(path).write_bytes(b"no database" * 500)
        state = State(path)
        found.add(state.aside)
        state.close()
    assert len(found) == 2
