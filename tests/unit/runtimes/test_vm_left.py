"""What a devbox that was killed has left of a machine, and how it is known until all of it is gone."""

from pathlib import Path

import pytest

from devbox import paths
from devbox.reporter import SilentReporter
from devbox.runtimes.vm import left, stored
from devbox.runtimes.vm.kept import tidy
from tests.fakes.processes import FakeProcesses
from tests.unit.runtimes.test_vm import made

NAME = "devbox-shop-0123abcd"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = Path(paths.machines_root())
    found.mkdir(parents=True)
    return found


def test_only_what_says_nothing_of_itself_is_removed(root: Path) -> None:
    for name in (NAME, f"{NAME}-123456789abc", f".{NAME}.77", f"{NAME}e", "other"):
        (root / name).mkdir()
        (root / name / paths.MACHINE_DISK).touch()
    stored.write(root / f".{NAME}.77", made())  # of one that was being made
    stored.write(root / NAME, made())
    left.sweep(NAME, FakeProcesses())
    assert {one.name for one in root.iterdir()} == {NAME, f"{NAME}e", "other"}
    (root / NAME / stored.FILE).unlink()
    left.sweep(NAME, FakeProcesses())
    assert {one.name for one in root.iterdir()} == {f"{NAME}e", "other"}


def test_what_it_was_made_from_goes_last(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / NAME / "directory").mkdir(parents=True)
    (root / NAME / paths.MACHINE_DISK).touch()
    stored.write(root / NAME, made())
    seen = []
    monkeypatch.setattr(stored, "fault", lambda name: seen.extend(one.name for one in (root / NAME).iterdir()))
    stored.erase(root / NAME)
    assert seen == [stored.FILE]
    assert not (root / NAME).exists()


def test_what_was_left_while_an_image_was_made_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = Path(paths.machine_images())
    image = cache / "0123456789abcdef"
    for left_there in (cache / "making-1", image / "making-ready-1"):
        left_there.mkdir(parents=True)
    tidy(FakeProcesses(), SilentReporter())  # nobody ever held a lock here
    assert (cache / "making-1").exists()
    for lock in (cache / "lock", image / "ready.lock"):
        lock.touch()
    tidy(FakeProcesses(), SilentReporter())
    assert {one.name for one in (*cache.iterdir(), *image.iterdir())} == {"lock", image.name, "ready.lock"}
