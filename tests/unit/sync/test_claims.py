"""Who may sync a directory: one session, or one for each machine of the project."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.errors import SyncError
from devbox.sync.claims import Claim


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project = tmp_path / "project"
    project.mkdir()
    return project


def test_the_machines_of_a_project_share_its_directory_and_know_it(root: Path) -> None:
    own = Claim(str(root))
    assert not own.is_shared()
    worker = Claim(str(root), "worker")
    assert own.is_shared()
    assert worker.is_shared()
    worker.release()
    assert not own.is_shared()
    own.release()


def test_no_machine_has_two_sessions_and_no_session_is_inside_anothers(root: Path) -> None:
    held = Claim(str(root), "worker")
    for taken, machine in ((root, "worker"), (root / "inside", "db"), (root.parent, "")):
        with pytest.raises(SyncError, match="cannot sync"):
            Claim(str(taken), machine)
    held.release()
    Claim(str(root), "worker").release()
