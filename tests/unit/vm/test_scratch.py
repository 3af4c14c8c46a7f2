"""Where files are laid out for a moment."""

import os
from pathlib import Path

import pytest

from devbox.vm import scratch as module
from devbox.vm.scratch import clear, scratch


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(module, "MEMORY", place)
    return place


def test_it_lies_in_memory_if_there_is_room_and_goes(memory: Path, tmp_path: Path) -> None:
    with scratch(tmp_path, size=1) as place:
        assert place.parent == memory
        assert place.stat().st_mode & 0o777 == 0o700
        (place / "file").touch()
    assert not list(memory.iterdir())


@pytest.mark.parametrize("size", [0, 2**60])
def test_else_where_it_is_needed(memory: Path, tmp_path: Path, size: int) -> None:
    with scratch(tmp_path, size=size) as place:
        assert place.parent == tmp_path
    assert list(tmp_path.iterdir()) == [memory]


def test_memory_without_a_name_left_has_no_room(memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = list(os.statvfs(memory))
    for files, left, parent in ((1000, 0, tmp_path), (1000, 900, memory), (0, 0, memory)):
        facts[5:8] = files, left, left
        full = os.statvfs_result(tuple(facts))
        monkeypatch.setattr(os, "statvfs", lambda path, full=full: full)
        with scratch(tmp_path, size=4096) as place:
            assert place.parent == parent


def test_without_such_a_place_it_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", tmp_path / "nowhere")
    with scratch(tmp_path, size=1) as place:
        assert place.parent == tmp_path


def test_what_a_killed_process_left_goes_and_nothing_else(memory: Path, tmp_path: Path) -> None:
    uid = os.getuid()
    for name in (f"devbox-{uid}-left", f"devbox-{uid}1-others", f"devbox-{uid + 1}-others", "other"):
        (memory / name).mkdir()
    (tmp_path / "elsewhere").mkdir()
    (memory / f"devbox-{uid}-link").symlink_to(tmp_path / "elsewhere")
    with scratch(tmp_path, size=1):
        pass
    assert {left.name for left in memory.iterdir()} == {
        *(f"devbox-{uid}1-others", f"devbox-{uid + 1}-others", f"devbox-{uid}-link", "other")
    }
    assert (tmp_path / "elsewhere").exists()


def test_what_was_left_is_cleared_and_what_is_used_is_not(memory: Path, tmp_path: Path) -> None:
    left = [tmp_path / "making-left", memory / f"devbox-{os.getuid()}-left"]
    with scratch(tmp_path) as here, scratch(tmp_path, size=1) as there:
        for one in left:
            one.mkdir()
            (one / "file").touch()
        clear(tmp_path)
        assert here.is_dir()
        assert there.is_dir()
    assert not any(one.exists() for one in left)


def test_what_another_process_uses_stays_whatever_its_number(memory: Path, tmp_path: Path) -> None:
    with scratch(tmp_path, size=1) as one:
        (one / "file").touch()
        with scratch(tmp_path, size=1) as two:
            assert one != two
        assert (one / "file").exists()
    assert not list(memory.iterdir())


def test_who_is_swept_before_the_lock_is_held_has_another_one(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module._made
    made: list[Path] = []

    def make(prefix: str, parent: Path) -> Path:
        made.append(real(prefix, parent))
        if len(made) == 1:
            module._sweep(memory, module._name())
        return made[-1]

    monkeypatch.setattr(module, "_made", make)
    with scratch(tmp_path, size=1) as place:
        assert place.is_dir()
    assert place == made[1]


def test_where_no_lock_can_be_had_it_is_not_in_memory(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(module.fcntl, "flock", refused)
    with scratch(tmp_path, size=1) as place:
        assert place.parent == tmp_path
        assert not list(memory.iterdir())
    assert list(tmp_path.iterdir()) == [memory]
