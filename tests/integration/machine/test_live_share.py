"""The project shared live with a real machine: one set of files, the owner's, and nothing left of what shares it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.machine.conftest import PROFILE, inside, machines, processes_of
from tests.support.account import ORDINARY_ID, invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]
LIVE = '[sync]\nmode = "mount"\nvolumes = ["modules"]\n'
FRESH = 0.2  # seconds after which an edit is seen


@pytest.fixture
def live(machine: Devbox) -> Iterator[Devbox]:
    """The machine of all tests, while its files are shared live."""
    local = machine.directory / "devbox.local.toml"
    local.write_text(LIVE, encoding="utf-8")
    machine("up")
    yield machine
    local.unlink()
    machine("up")
    assert not processes_of(machine, "virtiofsd")
    assert inside(machine, "cat a.txt") == "from the host"  # a copy again


def daemons(devbox: Devbox) -> list[int]:
    """Return the pid that the machine's directory has of the daemon."""
    (directory,) = machines(devbox)
    return [int((directory / "share").read_text(encoding="ascii").split("\n")[1])]


def test_the_files_themselves_are_inside_and_whatever_ends_is_repaired(live: Devbox) -> None:
    assert inside(live, "stat -f -c %T . ; cat a.txt").splitlines() == ["fuseblk", "from the host"]
    edited = live.directory / "edited.txt"
    for text in ("one", "the second is longer", "3"):
        edited.write_text(text, encoding="utf-8")
        time.sleep(FRESH)
        assert inside(live, "cat edited.txt; printf ' and back' >> edited.txt") == text
        assert edited.read_text(encoding="utf-8") == f"{text} and back"
    inside(live, "mkdir -p made && echo x > made/x && chmod 600 made/x && echo y > modules/y && sync modules/y")
    made, owner = (live.directory / "made" / "x").stat(), live.directory.stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (owner.st_uid, owner.st_gid, 0o600)
    assert not list((live.directory / "modules").iterdir())
    assert live.json("sync")["state"] == "mounted"
    assert "shares the project's files live" in live("suspend", status=2).stderr
    assert "shares the project's files live" in live("snapshot", "save", "x", status=2).stderr

    (pid,) = daemons(live)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not processes_of(live, "qemu"), within=10)
    assert live.json("status")["state"] == "broken"
    assert live("exec", "--", "true", status=125).stderr
    live("up")
    assert inside(live, "cat made/x modules/y") == "x\ny"
    live("halt")
    assert not processes_of(live, "qemu")
    assert not Path(f"/proc/{pid}").exists() or b") Z " in Path(f"/proc/{pid}/stat").read_bytes()


@pytest.mark.nightly
def test_what_is_written_inside_belongs_to_the_owner_of_the_project() -> None:
    with project(invoker(), owner=ORDINARY_ID if os.geteuid() == 0 else None) as found:
        (found.directory / "devbox.toml").write_text(PROFILE + LIVE, encoding="utf-8")
        found("up")
        try:
            owner = found.directory.stat()
            inside(found, "echo x > made; git init -q . 2>/dev/null || mkdir .git; ln -s made link; chmod 755 made")
            for name in ("made", ".git", "link"):
                facts = (found.directory / name).lstat()
                assert (facts.st_uid, facts.st_gid) == (owner.st_uid, owner.st_gid)
            as_root = ("exec", "-u", "root", "--", "sh", "-c")
            found(*as_root, "echo more >> made && cat made")
            found(*as_root, "echo y > roots || true; cp /bin/true program && chmod 4755 program || true")
            strangers = {one.name for one in found.directory.rglob("*") if one.lstat().st_uid != owner.st_uid}
            assert strangers <= {"devbox.toml", "devbox.lock"}  # which were made here
            found("halt")
            found("up")
            assert inside(found, "cat made") == "x\nmore"
        finally:
            found("destroy", "-f")
        assert not processes_of(found, "qemu")
