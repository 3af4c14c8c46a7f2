import contextlib
import os
import resource
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox import paths, record
from devbox.errors import StateError
from devbox.workspace.state import is_held, locked
from tests.support.desk import Desk

ENTRIES = {"project": "/p", "image": "i", "spec": "s"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "shop")


def _record(desk: Desk) -> Path:
    return Path(paths.record_file(desk.workspace.hash))


def test_what_was_written_is_read(desk: Desk) -> None:
    with locked(desk.host, desk.workspace, "devbox up") as state:
        assert state.read() is None
        state.write(ENTRIES)
        assert state.read() == {**dict.fromkeys(record.FIELDS, ""), **ENTRIES}


def test_an_unchanged_record_is_not_written_again(desk: Desk) -> None:
    with locked(desk.host, desk.workspace, "devbox up") as state:
        state.write(ENTRIES)
        before = _record(desk).stat().st_ino
        state.write(ENTRIES)
    assert _record(desk).stat().st_ino == before


@pytest.mark.parametrize("content", [b"", b"schema=1\nproject=/p\n", b"\xff\xfe", b"complete=1\n"])
def test_a_damaged_record_is_set_aside_and_kept(desk: Desk, content: bytes) -> None:
    with locked(desk.host, desk.workspace, "devbox up") as state:
        _record(desk).write_bytes(content)
        assert state.read() is None
        state.write(ENTRIES)
        assert state.read() is not None
    aside = _record(desk).with_name("record.corrupt-1")
    assert aside.read_bytes() == content


def test_a_record_of_a_newer_devbox_is_refused_and_not_touched(desk: Desk) -> None:
    with locked(desk.host, desk.workspace, "devbox up") as state:
        _record(desk).write_text("schema=99\ncomplete=1\n")
        with pytest.raises(StateError, match="newer devbox"):
            state.read()
    assert _record(desk).read_text() == "schema=99\ncomplete=1\n"


def test_what_a_killed_write_left_is_swept(desk: Desk) -> None:
    with locked(desk.host, desk.workspace, "devbox up") as state:
        leftover = _record(desk).with_name("record.4242")
        leftover.touch()
        state.write(ENTRIES)
    assert not leftover.exists()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_directories_are_private_whatever_the_umask(desk: Desk, umask: int) -> None:
    before = os.umask(umask)
    try:
        with locked(desk.host, desk.workspace, "devbox up") as state:
            state.write(ENTRIES)
    finally:
        os.umask(before)
    directory = Path(desk.workspace.state_directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(_record(desk).stat().st_mode) == 0o600


def test_a_second_command_waits_and_says_for_whom(desk: Desk) -> None:
    other = Desk(desk.directory)
    waiting, entered = threading.Event(), threading.Event()
    other.reporter.note = lambda message: (notes.append(message), waiting.set())  # type: ignore[method-assign,func-returns-value,assignment]
    notes: list[str] = []

    def second() -> None:
        with locked(other.host, other.workspace, "devbox up"):
            entered.set()

    thread = threading.Thread(target=second)
    with locked(desk.host, desk.workspace, "devbox build"):
        assert is_held(desk.host, desk.workspace.hash)
        thread.start()
        assert waiting.wait(10)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()
    assert notes == [f"waiting for devbox build (pid {os.getpid()}) in this project"]
    assert is_held(desk.host, desk.workspace.hash) is False


def test_of_what_was_never_locked_from_here_nobody_knows(desk: Desk) -> None:
    assert is_held(desk.host, "00000000") is None


def _unusable_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")  # nobody, root included, makes a directory there


def test_without_a_state_directory_it_goes_on_with_one_notice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _unusable_state(monkeypatch)
    desk.environ["XDG_RUNTIME_DIR"] = str(tmp_path)
    with locked(desk.host, desk.workspace, "devbox up") as state:
        state.write(ENTRIES)
        assert state.read() is None
        assert is_held(desk.host, desk.workspace.hash)
    assert len(desk.reporter.notes) == 1
    assert "without remembering" in desk.reporter.notes[0]
    assert stat.S_IMODE((tmp_path / "devbox").stat().st_mode) == 0o700


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    """Let no file grow, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_one_notice_and_what_was_known_before(desk: Desk) -> None:
    with locked(desk.host, desk.workspace, "devbox up") as state:
        state.write(ENTRIES)
    with _full_disk(), locked(desk.host, desk.workspace, "devbox up") as state:
        state.write({**ENTRIES, "image": "j"})
        assert is_held(desk.host, desk.workspace.hash)
        assert state.read() is None
    assert len(desk.reporter.notes) == 1
    assert "without remembering" in desk.reporter.notes[0]
    assert sorted(path.name for path in _record(desk).parent.iterdir()) == ["lock"]


def test_a_lock_directory_that_is_somebody_elses_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _unusable_state(monkeypatch)
    (tmp_path / "devbox").symlink_to(tmp_path)
    desk.environ["XDG_RUNTIME_DIR"] = str(tmp_path)
    with pytest.raises(StateError, match="belongs to somebody else"), locked(desk.host, desk.workspace, "devbox up"):
        pass
