"""A guest whose disks are put back to how they were: what comes back with them is nothing that was done there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.sync.memory import remembered
from tests.support.sync_bed import Bed, put, trash, tree

AGAIN = pytest.mark.parametrize("known", [True, False], ids=["with what both had then", "with nothing known"])


class Kept:
    """The guest and what the sync knew, as they are now; `back` puts both back."""

    def __init__(self, bed: Bed, *, known: bool = True) -> None:
        self._bed = bed
        self._guest = bed.base / "kept guest"
        self._state = bed.base / "kept.db"
        self._known = known
        shutil.copytree(bed.guest, self._guest, symlinks=True)
        assert remembered(bed.state, str(self._state))

    def back(self) -> None:
        for one in self._bed.guest.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        shutil.copytree(self._guest, self._bed.guest, symlinks=True, dirs_exist_ok=True)
        for end in ("", "-wal", "-shm"):
            Path(self._bed.state + end).unlink(missing_ok=True)
        if self._known:
            self._state.rename(self._bed.state)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    made = Bed(tmp_path)
    put(made.host, {"same": "one", "edited": "one", "deleted": "one", "moved/a": "a", "dir/x": "x", "dir/y": "y"})
    made.once()
    return made


def _edits(bed: Bed) -> None:
    """Change on the host, and inside, all that can be changed; both have all of it."""
    put(bed.host, {"edited": "two", "new/deep": "new"})
    (bed.host / "deleted").unlink()
    (bed.host / "moved").rename(bed.host / "elsewhere")
    put(bed.guest, {"dir/x": "of the guest", "made inside": "inside"})
    (bed.guest / "dir/y").unlink()
    bed.once()


@AGAIN
def test_nothing_of_the_host_changes_whatever_comes_back(bed: Bed, known: bool) -> None:
    kept = Kept(bed, known=known)
    _edits(bed)
    before, thrown = tree(bed.host), trash(bed.host)
    kept.back()
    bed.once()
    assert tree(bed.host) == before
    assert trash(bed.host) == thrown
    assert {path: tree(bed.guest)[path] for path in before} == before


def test_what_the_host_has_no_more_goes_inside_too_where_it_is_known_what_both_had(bed: Bed) -> None:
    kept = Kept(bed)
    _edits(bed)
    kept.back()
    report = bed.once()
    assert bed.both() == tree(bed.host)
    assert not report.conflicts


def test_what_was_inside_alone_then_is_there_again_and_stays_there(bed: Bed) -> None:
    put(bed.guest, {"unsynced": "never brought home", "edited": "an edit that was never brought home"})
    kept = Kept(bed)
    bed.once()
    (bed.host / "unsynced").unlink()
    put(bed.host, {"edited": "later"})
    bed.once()
    before = tree(bed.host)
    kept.back()
    bed.once()
    assert tree(bed.host) == before
    assert tree(bed.guest)["unsynced"] == b"never brought home"
    assert tree(bed.guest)["edited"] == b"later"


def _edit(bed: Bed) -> None:
    put(bed.guest, {"same": "edited inside afterwards"})


def _delete(bed: Bed) -> None:
    (bed.guest / "same").unlink()


@AGAIN
@pytest.mark.parametrize("change", [_edit, _delete])
def test_what_is_done_inside_afterwards_is_brought_home_as_ever(
    bed: Bed,
    known: bool,
    change: Callable[[Bed], None],
) -> None:
    kept = Kept(bed, known=known)
    _edits(bed)
    kept.back()
    with bed.running() as session:
        assert session.flush(timeout=30).settled
        change(bed)
        assert session.flush(timeout=30).settled
    assert tree(bed.host).get("same") == tree(bed.guest).get("same")


def test_it_may_be_put_back_again_and_again(bed: Bed) -> None:
    for text in ("two", "three", "four"):
        kept = Kept(bed)
        put(bed.host, {"edited": text})
        bed.once()
        kept.back()
        bed.once()
        assert bed.both()["edited"] == text.encode()
        shutil.rmtree(bed.base / "kept guest")


def test_what_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    assert not remembered(str(tmp_path / "none"), str(tmp_path / "copy"))
    (tmp_path / "damaged").write_bytes(b"no state " * 1000)
    assert not remembered(str(tmp_path / "damaged"), str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()
