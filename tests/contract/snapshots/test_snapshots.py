"""What all snapshots keep to."""

from pathlib import Path

import pytest

from devbox.errors import SnapshotError, UsageError
from devbox.runtimes.snapshots import Wish
from tests.contract.snapshots.conftest import Bench, back


@pytest.fixture
def attached(tmp_path: Path) -> Path:
    return tmp_path / "attached"


def _kept(bench: Bench, name: str, text: str, **wish: object) -> None:
    bench.content = text
    bench.snapshots.save(Wish(name=name, **wish))  # type: ignore[arg-type]


def test_what_has_never_run_has_nothing_to_keep(bench: Bench) -> None:
    with pytest.raises(SnapshotError, match="has never been started"):
        bench.snapshots.save(Wish(name="early"))
    assert bench.snapshots.all() == ()


def test_each_is_listed_as_it_was_wished_for_the_oldest_first(bench: Bench) -> None:
    bench.start()
    _kept(bench, "zero", "0", mark="a mark", pushed=True)
    bench.stop()
    _kept(bench, "a", "1")
    found = bench.snapshots.all()
    assert [(one.name, one.mark, one.pushed, one.running, one.problem) for one in found] == [
        ("zero", "a mark", True, True, ""),
        ("a", "", False, False, ""),
    ]
    assert all(one.size > 0 and one.saved > 0 for one in found)


def test_it_is_as_it_was_then_and_may_be_so_again_and_again(bench: Bench, attached: Path) -> None:
    bench.start()
    _kept(bench, "one", "1")
    _kept(bench, "two", "2")
    for name, text in (("one", "1"), ("two", "2"), ("one", "1")):
        bench.content = "later"
        assert bench.snapshots.restore(back(name, attached)).name == name
        assert bench.content == text
    assert not attached.exists()


def test_what_ran_goes_on_if_it_was_kept_and_is_wanted(bench: Bench, attached: Path) -> None:
    bench.start()
    _kept(bench, "ran", "1")
    bench.stop()
    _kept(bench, "stopped", "2")
    for name, running, goes_on in (("ran", True, True), ("ran", False, False), ("stopped", True, False)):
        bench.snapshots.restore(back(name, attached, running=running))
        assert bench.goes_on is goes_on


def test_what_is_there_runs_until_all_lies_ready(bench: Bench, attached: Path) -> None:
    bench.start()
    _kept(bench, "one", "1")
    bench.content, seen = "now", []
    bench.snapshots.restore(back("one", attached, before=lambda: seen.append(bench.content)))
    assert seen == ["now"]


def test_a_name_is_taken_once_unless_it_is_to_be_replaced(bench: Bench, attached: Path) -> None:
    bench.start()
    _kept(bench, "one", "1")
    with pytest.raises(UsageError, match="there is a snapshot one already"):
        _kept(bench, "one", "2")
    _kept(bench, "one", "3", replace=True)
    bench.content = "now"
    bench.snapshots.restore(back("one", attached))
    assert bench.content == "3"
    assert len(bench.snapshots.all()) == 1


def test_the_others_stay_whole_when_one_is_taken_away(bench: Bench, attached: Path) -> None:
    bench.start()
    for name in ("1", "2", "3"):
        _kept(bench, name, name)
    assert bench.snapshots.delete("2").name == "2"
    for name in ("1", "3"):
        bench.snapshots.restore(back(name, attached))
        assert bench.content == name


def test_one_that_is_not_there_is_named_and_nothing_is_touched(bench: Bench, attached: Path) -> None:
    bench.start()
    bench.content = "now"
    with pytest.raises(UsageError, match="there is no snapshot none"):
        bench.snapshots.delete("none")
    with pytest.raises(UsageError, match="there is no snapshot none"):
        bench.snapshots.restore(back("none", attached, before=lambda: pytest.fail("it was given up")))
    assert bench.content == "now"


def test_one_that_is_damaged_is_named_and_nothing_is_touched(bench: Bench, attached: Path) -> None:
    bench.start()
    _kept(bench, "bad", "then")
    bench.damage("bad")
    bench.content = "now"
    with pytest.raises(SnapshotError, match="the snapshot bad is damaged"):
        bench.snapshots.restore(back("bad", attached, before=lambda: pytest.fail("it was given up")))
    assert bench.content == "now"
    bench.snapshots.delete("bad")


def test_what_is_attached_is_kept_and_comes_back(bench: Bench, attached: Path) -> None:
    bench.start()
    attached.write_text("then")
    _kept(bench, "one", "1", attached=attached)
    attached.write_text("now")
    bench.snapshots.restore(back("one", attached))
    assert attached.read_text() == "then"
