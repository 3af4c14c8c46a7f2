"""Where files are laid out for a moment."""

import os
from pathlib import Path

import pytest

from devbox.vm import scratch as module
from devbox.vm.scratch import scratch


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


def test_without_such_a_place_it_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", tmp_path / "nowhere")
    with scratch(tmp_path, size=1) as place:
        assert place.parent == tmp_path


def test_what_a_killed_process_left_goes_and_nothing_else(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_lives", lambda pid: pid == 8)
    uid = os.getuid()
    for name in (f"devbox-{uid}-7-abc", f"devbox-{uid}-8-abc", f"devbox-{uid + 1}-7-abc", f"devbox-{uid}-x-abc"):
        (memory / name).mkdir()
    with scratch(tmp_path, size=1):
        pass
    assert {left.name for left in memory.iterdir()} == {
        *(f"devbox-{uid}-8-abc", f"devbox-{uid + 1}-7-abc", f"devbox-{uid}-x-abc")
    }


def test_a_process_lives_or_not() -> None:
    assert module._lives(os.getpid())
    assert not module._lives(2**22 + 1)
