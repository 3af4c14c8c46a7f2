"""The Supervisor's umask is for its own files; those of the project are as everybody makes them."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devbox.sync.endpoint import Answer, Code, MakeDirectory
from devbox.sync.host import HostEndpoint
from devbox.sync.trash import Trash


@pytest.fixture(autouse=True)
def _supervisors_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_new_directory_can_be_looked_into(tmp_path: Path) -> None:
    answers: list[Answer] = []
    with closing(HostEndpoint(tmp_path)) as end:
        end.ask(MakeDirectory(b"new"), answers.append)
    assert answers[0].code is Code.DONE
    assert answers[0].stamp is not None
    assert answers[0].stamp.mode & 0o777 == (tmp_path / "new").stat().st_mode & 0o777 == 0o755


def test_so_can_one_that_an_undo_brings_back(tmp_path: Path) -> None:
    kept = tmp_path / ".devbox" / "trash" / "20260101T000000Z-1" / "gone" / "file"
    kept.parent.mkdir(parents=True)
    kept.write_text("x")
    with closing(Trash(tmp_path)) as trash:
        assert [one.problem for one in trash.undo(trash.batches()[0], 1.0)] == [""]
    assert (tmp_path / "gone").stat().st_mode & 0o777 == 0o755
