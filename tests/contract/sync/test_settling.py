"""What came from the guest and is not on the host's disk yet: a loss of power at any moment loses no edit."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.sync.endpoint import Answer, Code, Request, Settle
from devbox.sync.host import HostEndpoint
from devbox.sync.rows import digest_of
from devbox.sync.session import SyncSession
from devbox.sync.state import State
from tests.support.sync_bed import Bed, eventually, flushed, put, started, trash

ROOT = Path(__file__).parents[3]


def run(base: Path, fault: str = "") -> int:
    env = dict(os.environ, XDG_STATE_HOME=str(base / "state"), PYTHONPATH=str(ROOT), DEVBOX_FAULT=fault)
    argv = [sys.executable, "-m", "tests.support.sync_process", str(base)]
    return subprocess.run(argv, env=env, cwd=ROOT, timeout=120).returncode


def began(base: Path) -> Bed:
    bed = Bed(base)
    put(bed.host, {"file": "old", "other": "old other"})
    assert run(base) == 0
    put(bed.guest, {"file": "the guest's edit", "new": "the guest's new one"})
    return bed


@pytest.mark.long
@pytest.mark.parametrize("emptied", [("file",), ("new",), ("file", "new")])
def test_files_that_a_loss_of_power_emptied_are_no_edits_of_the_host(tmp_path: Path, emptied: tuple[str, ...]) -> None:
    bed = began(tmp_path)
    assert run(bed.base, "kill:1:before it is on the disk") == -9
    assert (bed.host / "file").read_text() == "the guest's edit"
    for name in emptied:
        os.truncate(bed.host / name, 0)
    bed.once()
    assert (bed.guest / "file").read_text() == "the guest's edit"
    assert (bed.guest / "new").read_text() == "the guest's new one"
    assert b"old" in trash(bed.host)


def test_after_it_is_on_the_disk_the_same_is_an_edit(tmp_path: Path) -> None:
    bed = began(tmp_path)
    assert run(bed.base) == 0
    os.truncate(bed.host / "file", 0)
    bed.once()
    assert bed.both()["file"] == b""


class Unsure(HostEndpoint):
    """An end whose disk fails for a while, and which counts how often it is asked for it."""

    failing = False
    asked = 0

    def ask(self, request: Request, done: Callable[[Answer], None]) -> None:
        if isinstance(request, Settle):
            type(self).asked += 1
            if type(self).failing:
                done(Answer(Code.FAILED, errno.EIO))
                return
        super().ask(request, done)


@pytest.fixture
def unsure(tmp_path: Path) -> tuple[Bed, SyncSession, type[Unsure]]:
    class Mine(Unsure):
        pass

    bed = Bed(tmp_path)
    session = SyncSession(
        bed.settings,
        state=bed.state,
        host_root=str(bed.host),
        connect_host=lambda: Mine(bed.host),
        connect_guest=lambda: HostEndpoint(bed.guest),
    )
    return bed, session, Mine


Three = tuple[Bed, SyncSession, type[Unsure]]


def test_a_flush_ends_when_it_is_on_the_disk(unsure: Three) -> None:
    bed, session, end = unsure
    with started(session):
        flushed(session)
        put(bed.guest, {"file": "x"})
        before = end.asked
        flushed(session)
        assert end.asked > before


def test_it_comes_to_the_disk_without_anybody_asking(unsure: Three) -> None:
    bed, session, end = unsure
    with started(session):
        flushed(session)
        before = end.asked
        put(bed.guest, {"file": "x"})
        eventually(lambda: end.asked > before)


def test_what_the_disk_refuses_is_not_known_as_brought_over(unsure: Three) -> None:
    bed, session, end = unsure
    put(bed.host, {"file": "old"})
    with started(session):
        flushed(session)
    end.failing = True
    put(bed.guest, {"file": "new"})
    session = SyncSession(
        bed.settings,
        state=bed.state,
        host_root=str(bed.host),
        connect_host=lambda: end(bed.host),
        connect_guest=lambda: HostEndpoint(bed.guest),
    )
    with started(session):
        eventually(lambda: bool(session.status().troubles))
        assert (bed.host / "file").read_text() == "new"
        assert not session.flush(timeout=0.2).settled
    state = State(bed.state)
    try:
        node = state.load().find(b"file")
        assert node is not None
        assert node.base is None or node.base.digest != digest_of(b"new")
    finally:
        state.close()
    end.failing = False
    bed.once()
    assert bed.both()["file"] == b"new"
