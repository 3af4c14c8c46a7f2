"""The host's end: what it does that a guest's does not, or not in the same way."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.sync.endpoint import Event
from devbox.sync.host import HostEndpoint
from tests.support.ends import End, put
from tests.support.skips import NOT_HERE


@pytest.fixture
def end(tmp_path: Path) -> Iterator[End]:
    (tmp_path / "tree").mkdir()
    end = End(tmp_path / "tree", HostEndpoint)
    yield end
    assert not end.leftovers()
    end.endpoint.close()


def test_a_replaced_file_keeps_its_owner(end: End) -> None:
    if os.geteuid() != 0:
        pytest.skip(NOT_HERE + "only root can give files away")
    (end.tree / "file").write_bytes(b"old")
    os.chown(end.tree / "file", 4321, 4322)
    end.do(put(b"file", b"new", end.there(b"file")))
    found = (end.tree / "file").stat()
    assert (found.st_uid, found.st_gid) == (4321, 4322)


def test_the_same_is_told_once(end: End) -> None:
    number = end.watch(b"")
    for _ in range(500):
        (end.tree / "file").write_bytes(b"x")
    assert end.told() == [Event(number, b"file")]


def test_a_queue_that_ran_over_says_so_and_goes_on(end: End) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    if limit > 100_000:
        pytest.skip(f"{limit} events fit into the queue: that would take minutes")
    end.watch(b"")
    end.told()
    names = [os.fspath(end.tree / name) for name in ("one", "two")]
    Path(names[0]).touch()
    for _ in range(limit // 2 + 10):  # two events each
        os.rename(names[0], names[1])  # noqa: PTH104 (it is much faster)
        names.reverse()
    told = end.told()
    assert any(event.watch == -1 for event in told)
    number = end.watch(b"")
    end.told()
    (end.tree / "after").touch()
    assert end.told() == [Event(number, b"after")]
