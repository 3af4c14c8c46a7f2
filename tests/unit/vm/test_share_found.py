"""Which virtiofsd this host has, and whether the one who is to run it can."""

import os
from pathlib import Path

import pytest

from devbox.vm import share
from devbox.vm.share import Lack, find, lacking
from tests.fakes.processes import FakeProcesses, completed

RUST, C = "/usr/bin/virtiofsd", "/elsewhere/virtiofsd"
OWNER = 54321


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> FakeProcesses:
    """A host with two daemons, one in Rust on PATH and one in C, and root on it."""
    monkeypatch.setattr(os, "access", lambda path, mode: path in (RUST, C))
    monkeypatch.setattr(share, "_PLACES", (C,))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)
    found = FakeProcesses("virtiofsd", "unshare", "newgidmap", "setpriv")
    found.answer("/usr/bin/unshare")
    found.answer(C, "--version", with_=completed(stderr="using FUSE kernel interface version 7.36"))
    return found


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A directory of somebody else's."""
    facts = list(tmp_path.stat())
    facts[4], facts[5] = OWNER, OWNER + 1
    monkeypatch.setattr(Path, "stat", lambda path: os.stat_result(facts))
    return str(tmp_path)


def test_one_that_cannot_say_its_version_is_none(processes: FakeProcesses) -> None:
    processes.answer(RUST, "--version", with_=completed(status=127, stderr="error while loading shared libraries"))
    daemon = find(processes)
    assert daemon is not None
    assert (daemon.program, daemon.is_rust) == (C, False)


def test_the_owner_of_the_directory_is_who_it_is_tried_as(processes: FakeProcesses, directory: str) -> None:
    processes.answer(RUST, "--version", with_="virtiofsd 1.13.2")
    processes.answer("/usr/bin/setpriv", with_=completed(status=1, stderr="unshare failed: Operation not permitted"))
    assert lacking(processes) is None, "root itself can"
    lack = lacking(processes, directory)
    assert lack is not None
    assert lack.why == "there is no user namespace to be had: unshare failed: Operation not permitted"
    tried = processes.argvs[-1]
    assert tried[:5] == ("/usr/bin/setpriv", f"--reuid={OWNER}", f"--regid={OWNER + 1}", "--clear-groups", "--")
    assert tried[5:] == ("/usr/bin/unshare", "--user", "true")


def test_what_the_owner_needs_is_missed_beforehand(processes: FakeProcesses, directory: str) -> None:
    processes.answer(RUST, "--version", with_="virtiofsd 1.13.2")
    processes.programs.remove("newgidmap")
    assert lacking(processes) is None
    assert lacking(processes, directory) == Lack(why="newuidmap and newgidmap are not installed", package="uidmap")
