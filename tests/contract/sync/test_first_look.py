"""What is new is sent while the rest is still looked at, and what comes of it is what a plan of the whole says."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.sync import cycle, three
from devbox.sync.endpoint import Endpoint
from devbox.sync.report import Doing
from devbox.sync.seed import MANY
from tests.support.agent import host_agent
from tests.support.sync_bed import Bed, Content, eventually, flushed, trash, tree
from tests.support.sync_guest import agent_program, guest_of

pytestmark = pytest.mark.long
DIRECTORIES, FILES = 60, 40


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with host_agent(argv=[agent_program()]) as agent:
        yield Bed(tmp_path / "bed", guest_end=lambda root: guest_of(agent, root))


def fill(bed: Bed) -> None:
    """Have much on the host, with ignore files in it, and in the guest some of it: the same, another, and its own."""
    for one in range(DIRECTORIES):
        for path, depth in ((bed.host / f"d{one}", one % 3), (bed.guest / f"d{one}", one % 3)):
            if path.is_relative_to(bed.guest) and one % 4:
                continue
            deep = path.joinpath(*["e"] * depth)
            deep.mkdir(parents=True)
            mine = "host" if path.is_relative_to(bed.host) else "guest"
            for number in range(FILES):
                same = number % 5 or mine == "host"
                (deep / f"f{number}").write_text(f"{number}" if same else f"{number} of the guest")
            (deep / f"of {mine}").write_text(mine)
        (bed.host / f"d{one}/.gitignore").write_text("f1\n*.log\n")
        (bed.host / f"d{one}/a.log").write_text("not synced")


def outcome(bed: Bed) -> tuple[Content, Content, tuple[object, ...]]:
    fill(bed)
    report = bed.once()
    return tree(bed.host), tree(bed.guest), report.conflicts


def test_it_comes_to_what_a_plan_of_the_whole_says(bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    real = cycle.Cycle.seed

    def seen(self: cycle.Cycle) -> None:
        real(self)
        if self.survey.on_listed is not None:
            begun.append(len(self.scene.busy))

    monkeypatch.setattr(cycle, "EARLY", 100)
    monkeypatch.setattr(cycle.Cycle, "seed", seen)
    early = outcome(bed)
    assert max(begun) > 100  # it did begin before the end of the look
    monkeypatch.setattr(cycle, "EARLY", 1 << 40)
    whole = outcome(Bed(tmp_path / "whole", guest_end=bed.guest_end))
    assert early == whole
    assert early[0]["d1/a.log"] == b"not synced"
    assert early[1]["d1/e/f7"] == b"7"
    assert "d1/a.log" not in early[1]
    assert "d0/f1" in early[1]
    assert early[1]["d0/f0"] == b"0"  # what the guest had there is in the trash
    assert b"0 of the guest" in trash(bed.guest)


def test_nothing_is_sent_early_where_something_is_known(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it may be what goes elsewhere, as a look that is not at its end yet cannot see."""
    monkeypatch.setattr(cycle, "EARLY", 10)
    for name in "ab":
        (bed.host / name).mkdir()
    to, source = (entry.name for entry in os.scandir(bed.host) if entry.name in "ab")  # as they are looked at
    for number in range(MANY * 2):
        (bed.host / source / f"{number}").write_text(f"{number}")
    bed.once()
    inodes = {path.name: path.stat().st_ino for path in (bed.guest / source).iterdir()}
    assert len(inodes) == MANY * 2
    for path in list((bed.host / source).iterdir()):
        path.rename(bed.host / to / path.name)
    bed.once()
    assert {path.name: path.stat().st_ino for path in (bed.guest / to).iterdir()} == inodes


def unreachable(root: Path) -> Endpoint:
    raise ConnectionRefusedError(root)


def test_nothing_is_sent_before_a_pause_ends(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "EARLY", 10)
    opens = bed.guest_end
    bed.guest_end = unreachable
    for one in range(MANY * 2):
        (bed.host / f"d{one}").mkdir()
        (bed.host / f"d{one}/file").write_text("x")
    session = bed.session()
    session.start()
    try:
        session.pause()
        bed.guest_end = opens
        eventually(lambda: session.status().doing is Doing.PAUSED)  # and the guest is there
        assert not session.flush(timeout=30).settled  # at once, when all was looked at
        assert tree(bed.guest) == {}
        session.resume()
        flushed(session)
        assert tree(bed.guest) == tree(bed.host)
    finally:
        session.stop()


def test_what_both_have_already_is_known_to_the_last_however_much_it_is(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(three, "SLICE", 20)
    names = [f"f{number}" for number in range(20 * 4)]
    for name in names:
        for root in (bed.host, bed.guest):
            (root / name).write_text(name)
    with bed.running() as session:
        flushed(session)
        for name in names[2:]:
            (bed.host / name).unlink()
        flushed(session)
        assert tree(bed.host).keys() == tree(bed.guest).keys() == set(names[:2])
