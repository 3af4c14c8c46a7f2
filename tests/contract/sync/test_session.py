"""A SyncSession over two real directories: the guest's end once of this host, once by the real agent."""

import mmap
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.errors import SyncError
from devbox.sync.core.entry import Side
from devbox.sync.core.modes import Mode
from devbox.sync.report import Doing, Rule, Settings
from devbox.sync.state import State
from tests.support.sync_bed import Bed, eventually, flushed, put, started, trash, tree

pytestmark = pytest.mark.long


def agreed(bed: Bed, files: dict[str, str]) -> None:
    """Let both have these files."""
    put(bed.host, files)
    bed.once()
    bed.both()


def test_what_the_host_has_comes_to_the_guest(bed: Bed) -> None:
    put(bed.host, {"a/b/c": "one", "d": "two"})
    (bed.host / "run").write_text("#!/bin/sh")
    (bed.host / "run").chmod(0o755)
    (bed.host / "link").symlink_to("a/b")
    (bed.host / "empty").mkdir()
    os.utime(bed.host / "d", ns=(1, 1_600_000_000_123_456_789))
    bed.once()
    bed.both()
    assert os.access(bed.guest / "run", os.X_OK)
    assert (bed.guest / "d").stat().st_mtime_ns == 1_600_000_000_123_456_789


def test_an_edit_comes_over_by_itself_in_both_directions(bed: Bed) -> None:
    agreed(bed, {"a/b": "one"})
    with bed.running() as session:
        flushed(session)
        (bed.host / "a/b").write_text("from the host")
        eventually(lambda: (bed.guest / "a/b").read_text() == "from the host")
        (bed.guest / "a/b").write_text("from the guest")
        eventually(lambda: (bed.host / "a/b").read_text() == "from the guest")
    assert trash(bed.host) == [b"from the host"]


def test_flush_brings_over_all_that_was_done_before_it(bed: Bed) -> None:
    agreed(bed, {f"a/{number}": "old" for number in range(50)})
    with bed.running() as session:
        for round_ in range(5):
            put(bed.host, {f"a/{number}": f"host {round_}" for number in range(25)})
            put(bed.guest, {f"a/{number}": f"guest {round_}" for number in range(25, 50)})
            put(bed.guest, {f"new/{round_}/deep/x": "y"})
            flushed(session)
            bed.both()


def test_a_quiet_flush_writes_nothing(bed: Bed) -> None:
    agreed(bed, {"a/b": "one"})
    with bed.running() as session:
        flushed(session)
        before = stamps(bed)
        report = flushed(session)
        assert (report.files, report.bytes) == (0, 0)
        assert before == stamps(bed)


def test_deletions_and_what_was_done_while_it_was_down_come_over(bed: Bed) -> None:
    agreed(bed, {"a/b": "one", "a/c": "two", "d": "three", "e": "four"})
    (bed.host / "a/b").unlink()
    (bed.guest / "d").unlink()
    put(bed.host, {"e": "changed"})
    bed.once()
    assert bed.both() == {"a": None, "a/c": b"two", "e": b"changed"}
    assert trash(bed.host) == [b"three"]


def test_an_edit_with_the_same_size_and_time_is_seen(bed: Bed) -> None:
    agreed(bed, {"a": "one"})
    before = (bed.host / "a").stat()
    (bed.host / "a").write_text("two")
    os.utime(bed.host / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    bed.once()
    assert bed.both() == {"a": b"two"}


def test_an_edit_on_both_sides_stays_on_both_until_it_is_resolved(bed: Bed) -> None:
    agreed(bed, {"a": "one", "b": "one"})
    put(bed.host, {"a": "of the host"})
    put(bed.guest, {"a": "of the guest"})
    with bed.running() as session:
        report = flushed(session)
        assert [conflict.path for conflict in report.conflicts] == ["a"]
        assert (bed.host / "a").read_text() == "of the host"
        assert (bed.guest / "a").read_text() == "of the guest"
        put(bed.host, {"b": "others go on"})
        flushed(session)
        assert (bed.guest / "b").read_text() == "others go on"
        session.resolve("a", Side.GUEST)
        assert not flushed(session).conflicts
        with pytest.raises(SyncError):
            session.resolve("a", Side.GUEST)
    assert bed.both() == {"a": b"of the guest", "b": b"others go on"}
    assert b"of the host" in trash(bed.host)


def test_a_deletion_loses_against_an_edit(bed: Bed) -> None:
    agreed(bed, {"a": "one", "dir/b": "one", "dir/c": "one", "other": "one"})
    (bed.host / "a").unlink()
    shutil.rmtree(bed.host / "dir")
    put(bed.guest, {"a": "edited", "dir/new": "new"})
    bed.once()
    assert bed.both() == {"a": b"edited", "dir": None, "dir/new": b"new", "other": b"one"}


def test_a_file_that_got_another_name_is_not_sent_again(bed: Bed) -> None:
    agreed(bed, {f"old/{number}": f"content {number}" for number in range(20)})
    with bed.running() as session:
        flushed(session)
        (bed.host / "old").rename(bed.host / "new")
        assert flushed(session).files == 0
        assert session.status().moved == 20
        bed.both()
        (bed.guest / "new/3").rename(bed.guest / "3")
        assert flushed(session).files == 0
    assert bed.both()["3"] == b"content 3"


def test_kinds_change(bed: Bed) -> None:
    agreed(bed, {"a": "file", "b/c": "file", "d": "file", "e/f/g": "deep"})
    with bed.running() as session:
        flushed(session)
        (bed.host / "a").unlink()
        put(bed.host, {"a/b": "now a directory"})
        shutil.rmtree(bed.guest / "b")
        put(bed.guest, {"b": "now a file"})
        (bed.guest / "d").unlink()
        (bed.guest / "d").symlink_to("a")
        shutil.rmtree(bed.host / "e")
        (bed.host / "e").symlink_to("nowhere")
        flushed(session)
    assert bed.both() == {"a": None, "a/b": b"now a directory", "b": b"now a file", "d": "-> a", "e": "-> nowhere"}


def test_the_bit_that_lets_a_file_be_run_comes_over_alone(bed: Bed) -> None:
    agreed(bed, {"a": "#!/bin/sh"})
    with bed.running() as session:
        flushed(session)
        (bed.host / "a").chmod(0o755)
        assert flushed(session).files == 0
        assert os.access(bed.guest / "a", os.X_OK)
        (bed.guest / "a").chmod(0o644)
        flushed(session)
        assert not os.access(bed.host / "a", os.X_OK)


def test_what_git_ignores_stays_where_it_is(bed: Bed) -> None:
    put(
        bed.host,
        {".gitignore": "/dist\n*.log\n", "dist/a": "of the host", "a.log": "x", "src/b.log": "x", "src/a": "y"},
    )
    put(bed.guest, {"dist/b": "of the guest"})
    bed.once()
    assert tree(bed.guest) == {
        "dist": None,
        "dist/b": b"of the guest",
        ".gitignore": b"/dist\n*.log\n",
        "src": None,
        "src/a": b"y",
    }
    with bed.running() as session:
        flushed(session)
        put(bed.host, {".gitignore": "/dist\n*.log\n/src\n", "src/c": "not any more"})
        flushed(session)
        assert not (bed.guest / "src/c").exists()
        assert (bed.guest / "src/a").read_text() == "y"
        put(bed.host, {".gitignore": "*.log\n"})
        flushed(session)
        assert (bed.guest / "src/c").read_text() == "not any more"
        assert (bed.host / "dist/b").read_text() == "of the guest"


def test_a_guest_that_was_made_anew_deletes_nothing_and_the_host_counts(bed: Bed) -> None:
    agreed(bed, {"a": "one", "b": "two", "c/d": "three"})
    shutil.rmtree(bed.guest)
    put(bed.guest, {"a": "of the image", "image": "only there"})
    report = bed.once()
    assert not report.conflicts
    assert tree(bed.host) == {"a": b"one", "b": b"two", "c": None, "c/d": b"three"}
    assert tree(bed.guest) == tree(bed.host) | {"image": b"only there"}
    assert trash(bed.guest) == [b"of the image"]
    with bed.running() as session:
        flushed(session)
        assert [kept.path for kept in session.status().kept] == ["image"]
        put(bed.guest, {"image": "edited", "b": "edited"})
        flushed(session)
    assert bed.both()["image"] == b"edited"


def test_a_guest_that_is_emptied_halts_it_until_somebody_agrees(bed: Bed) -> None:
    agreed(bed, {"a": "one", "b": "two", "c": "three"})
    with bed.running() as session:
        flushed(session)
        session.pause()
        for name in "abc":
            (bed.guest / name).unlink()
        session.resume()
        report = session.flush(timeout=20)
        assert not report.settled
        assert report.halted
        assert session.status().doing is Doing.HALTED
        assert len(tree(bed.host)) == 3
        session.confirm()
        flushed(session)
    assert bed.both() == {}
    assert sorted(trash(bed.host)) == [b"one", b"three", b"two"]


def test_many_deletions_one_after_another_are_taken_for_one(bed: Bed) -> None:
    agreed(bed, {f"d/{number}": "x" for number in range(100)})
    with bed.running() as session:
        flushed(session)
        for number in range(60):
            (bed.guest / f"d/{number}").unlink()
            time.sleep(0.005)
        report = session.flush(timeout=20)
        assert not report.settled
        assert "much would be deleted" in report.halted
        assert len(tree(bed.host)) > 60
        session.confirm()
        flushed(session)
    assert len(bed.both()) == 41


def test_what_it_halted_for_does_not_go_on_when_an_end_comes_back(bed: Bed) -> None:
    agreed(bed, {f"d/{number}": "x" for number in range(100)})
    ends = guest_ends(bed)
    with bed.running() as session:
        for first in (0, 25):
            flushed(session)
            session.pause()
            for number in range(first, first + 25):
                (bed.guest / f"d/{number}").unlink()
            session.resume()
        assert "much would be deleted (50 of 100)" in session.flush(timeout=20).halted
        ends[0].process = broken  # type: ignore[attr-defined]
        put(bed.host, {"wakes": "it"})
        eventually(lambda: len(ends) == 2 and session.status().doing is Doing.HALTED)
        assert len(tree(bed.host)) == 77
        session.confirm()
        flushed(session)
    assert len(bed.both()) == 52


def test_to_agree_before_there_is_anything_to_agree_to_is_nothing(bed: Bed) -> None:
    agreed(bed, {f"{number}": "x" for number in range(100)})
    with bed.running() as session:
        flushed(session)
        put(bed.host, {"one more": "x"})
        flushed(session)  # so that nothing is left to plan for
        session.confirm()
        session.pause()
        for number in range(60):
            (bed.guest / f"{number}").unlink()
        session.resume()
        assert session.flush(timeout=20).halted
    assert len(tree(bed.host)) == 101


def test_of_what_is_deleted_nothing_is_known_any_more(bed: Bed) -> None:
    agreed(bed, {f"{kind}/{number}": "x" for kind in ("host", "guest", "both", "stays") for number in range(20)})
    with bed.running() as session:
        flushed(session)
        shutil.rmtree(bed.host / "host")
        shutil.rmtree(bed.guest / "guest")
        shutil.rmtree(bed.host / "both")
        shutil.rmtree(bed.guest / "both")
        flushed(session)
        put(bed.host, {f"short/{number}": "x" for number in range(20)})
        flushed(session)
        shutil.rmtree(bed.host / "short")
        (bed.host / "stays/0").rename(bed.host / "stays/other")
        flushed(session)
        assert len(bed.both()) == 21
        assert session.status().entries == 21
    state = State(bed.state)
    try:
        assert state.load().count == 21
    finally:
        state.close()


def test_a_directory_of_the_guest_that_gets_another_name_is_no_deletion(bed: Bed) -> None:
    agreed(bed, {f"d/{number}": f"{number}" for number in range(100)})
    with bed.running() as session:
        flushed(session)
        (bed.guest / "d").rename(bed.guest / "e")
        assert flushed(session).files == 0
    assert len(bed.both()) == 101


def test_a_host_that_is_gone_is_told_and_nothing_is_deleted(bed: Bed) -> None:
    agreed(bed, {"a": "one"})
    with bed.running() as session:
        flushed(session)
        bed.host.rename(bed.base / "elsewhere")
        eventually(lambda: "gone" in session.flush(timeout=0.5).halted)
        assert tree(bed.guest) == {"a": b"one"}
        (bed.base / "elsewhere").rename(bed.host)
        eventually(lambda: session.status().doing is Doing.WATCHING)
        put(bed.host, {"a": "two"})
        flushed(session)
    assert bed.both() == {"a": b"two"}


def test_another_empty_directory_in_place_of_the_host_halts_it(bed: Bed) -> None:
    agreed(bed, {"a": "one", "b": "two"})
    shutil.rmtree(bed.host)
    bed.host.mkdir()
    with bed.running() as session:
        report = session.flush(timeout=20)
        assert not report.settled
        assert report.halted
    assert len(tree(bed.guest)) == 2


def test_one_way_does_not_touch_what_is_the_guests_own(bed: Bed) -> None:
    bed.settings = Settings(mode=Mode.ONE_WAY)
    agreed(bed, {"a": "one"})
    put(bed.guest, {"own": "x", "a": "edited in the guest"})
    put(bed.host, {"b": "two"})
    bed.once()
    assert tree(bed.host) == {"a": b"one", "b": b"two"}
    assert tree(bed.guest) == {"a": b"edited in the guest", "own": b"x", "b": b"two"}


def test_a_replica_is_what_the_host_is(bed: Bed) -> None:
    bed.settings = Settings(mode=Mode.ONE_WAY_REPLICA)
    agreed(bed, {"a": "one"})
    put(bed.guest, {"own": "x", "a": "edited in the guest"})
    bed.once()
    assert bed.both() == {"a": b"one"}


def test_big_files_come_over_and_only_what_changed_of_them(bed: Bed) -> None:
    content = os.urandom(3 << 20)
    (bed.host / "big").write_bytes(content)
    bed.once()
    assert bed.both() == {"big": content}
    changed = content[:100] + b"!" + content[101:] + b"more"
    (bed.guest / "big").write_bytes(changed)
    bed.once()
    assert bed.both() == {"big": changed}


@pytest.mark.long
def test_a_small_edit_does_not_wait_for_a_big_file(bed: Bed) -> None:
    agreed(bed, {"a": "one"})
    with bed.running() as session:
        flushed(session)
        with (bed.host / "big").open("wb") as file:
            file.truncate(400 << 20)
        eventually(lambda: session.status().pending > 0)
        (bed.host / "a").write_text("two")
        eventually(lambda: (bed.guest / "a").read_text() == "two")
        assert not (bed.guest / "big").exists()
        flushed(session)
        assert (bed.guest / "big").stat().st_size == 400 << 20


def test_a_file_that_is_written_all_the_time_does_not_stop_the_others(bed: Bed) -> None:
    agreed(bed, {"log": "", "a": "one"})
    stop = threading.Event()

    def write() -> None:
        with (bed.host / "log").open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x" * 100)

    with bed.running() as session:
        flushed(session)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                (bed.host / "a").write_text(f"{number}")
                eventually(lambda number=number: (bed.guest / "a").read_text() == f"{number}")  # type: ignore[misc]
        finally:
            stop.set()
            writer.join()
        flushed(session)
    bed.both()


def test_pause_holds_and_resume_goes_on(bed: Bed) -> None:
    agreed(bed, {"a": "one"})
    with bed.running() as session:
        flushed(session)
        session.pause()
        put(bed.host, {"a": "two"})
        assert not session.flush(timeout=10).settled
        assert session.status().doing is Doing.PAUSED
        assert (bed.guest / "a").read_text() == "one"
        session.resume()
        flushed(session)
    assert bed.both() == {"a": b"two"}


def test_rules_are_told_of_when_it_is_there(bed: Bed) -> None:
    bed.settings = Settings(
        on_change=(Rule(name="install", paths=("requirements*.txt",)), Rule(name="other", paths=("x",)))
    )
    agreed(bed, {"requirements.txt": "one", "sub/a": "b"})
    bed.told.clear()
    with bed.running() as session:
        flushed(session)
        put(bed.host, {"sub/a": "c"})
        flushed(session)
        put(bed.host, {"requirements.txt": "two"})
        eventually(lambda: bed.told == ["install"])
        assert (bed.guest / "requirements.txt").read_text() == "two"


def test_while_git_works_nothing_is_brought_over(bed: Bed) -> None:
    agreed(bed, {"a": "one", ".git/HEAD": "ref", ".git/index": "1"})
    with bed.running() as session:
        flushed(session)
        put(bed.host, {".git/index.lock": ""})
        time.sleep(0.2)
        put(bed.host, {"a": "two"})
        time.sleep(0.5)
        assert (bed.guest / "a").read_text() == "one"
        (bed.host / ".git/index.lock").rename(bed.host / ".git/index")
        eventually(lambda: (bed.guest / "a").read_text() == "two")


def test_verify_finds_what_nobody_told_of(bed: Bed) -> None:
    agreed(bed, {"a": "one", "b": "two"})
    with bed.running() as session:
        flushed(session)
        assert session.verify() == ()
        with (bed.host / "a").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[:3] = b"new"  # nobody tells of what is written through a mapping, until it is closed
            put(bed.guest, {"b": "told of", "c/d": "told of"})
            assert session.verify() == ("a",)
            flushed(session)
        assert bed.both() == {"a": b"new", "b": b"told of", "c": None, "c/d": b"told of"}
        assert session.verify() == ()


def test_verify_that_does_not_come_to_its_end_says_so(bed: Bed) -> None:
    agreed(bed, {"a": "one"})
    ends = guest_ends(bed)
    with bed.running() as session:
        flushed(session)
        ends[0].ask = lambda *_: None  # type: ignore[attr-defined]
        with pytest.raises(SyncError, match="more than 0 s"):
            session.verify(timeout=0)
        with pytest.raises(SyncError, match="already"):
            session.verify()
        ends[0].process = broken  # type: ignore[attr-defined]
        put(bed.host, {"wakes": "it"})
        eventually(lambda: len(ends) == 2)
        flushed(session)

        def breaks(*_: object) -> None:
            ends[1].process = broken  # type: ignore[attr-defined]
            put(bed.guest, {"heard": "of"})  # an end that is lost can be read

        ends[1].ask = breaks  # type: ignore[attr-defined]
        with pytest.raises(SyncError, match="an end was lost"):
            session.verify()
        flushed(session)
        assert session.verify() == ()


def test_two_sessions_on_one_directory_or_in_it_are_refused(bed: Bed) -> None:
    inner = Bed(bed.host / "inner")
    with bed.running():
        for other in (bed, inner):
            with pytest.raises(SyncError, match="already"):
                other.session().start()
    with inner.running(), pytest.raises(SyncError, match="already"):
        bed.session().start()


def test_the_state_directory_is_not_synced(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(bed.host / "state"))
    with pytest.raises(SyncError, match="remembers"):
        bed.session().start()


def test_git_checkout_back_and_forth_settles_on_the_last(bed: Bed) -> None:
    def git(*argv: str) -> None:
        subprocess.run(["git", *argv], cwd=bed.host, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("config", "user.email", "a@b")
    git("config", "user.name", "a")
    put(bed.host, {f"src/{number}": "main" for number in range(100)})
    git("add", ".")
    git("commit", "-qm", "1")
    git("checkout", "-qb", "other")
    put(bed.host, {f"src/{number}": "other" for number in range(50)} | {f"new/{number}": "n" for number in range(50)})
    git("add", ".")
    git("commit", "-qm", "2")
    with bed.running() as session:
        flushed(session)
        for branch in ("main", "other", "main"):
            git("checkout", "-q", branch)
        flushed(session)
        host = {path: what for path, what in tree(bed.host).items() if not path.startswith(".git/")}
        assert host == {path: what for path, what in tree(bed.guest).items() if not path.startswith(".git/")}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_session_that_ends_by_a_fault_of_ours_says_so(bed: Bed) -> None:
    ends = guest_ends(bed)
    session = bed.session()
    assert not session.alive
    with started(session):
        flushed(session)
        assert session.alive
        ends[0].process = None  # type: ignore[attr-defined]
        put(bed.host, {"wakes": "it"})
        eventually(lambda: not session.alive)
        assert "ended" in session.flush().halted
    assert not session.alive


def test_it_goes_on_when_the_guest_comes_back(bed: Bed) -> None:
    agreed(bed, {"a": "one"})
    ends = guest_ends(bed)
    with bed.running() as session:
        flushed(session)
        ends[0].ask = broken  # type: ignore[attr-defined]
        put(bed.host, {"a": "two"})
        eventually(lambda: (bed.guest / "a").read_text() == "two")
        flushed(session)
    assert len(ends) == 2
    bed.both()


def stamps(bed: Bed) -> list[tuple[Path, int, int, int]]:
    paths = [path for side in (bed.host, bed.guest) for path in sorted(side.rglob("*"))]
    return [(path, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns, path.lstat().st_ino) for path in paths]


def guest_ends(bed: Bed) -> list[object]:
    """Return the ends of the guest that the session opens from now on, as they come."""
    ends: list[object] = []
    make: Callable[[Path], object] = bed.guest_end

    def noted(root: Path) -> object:
        ends.append(make(root))
        return ends[-1]

    bed.guest_end = noted  # type: ignore[assignment]
    return ends


def broken(*_: object) -> None:
    raise BrokenPipeError(32, "gone")
