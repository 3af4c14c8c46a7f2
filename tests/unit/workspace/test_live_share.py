"""What is refused of a live share before anything is made: where the host lacks it, and for somebody else's disk."""

from pathlib import Path

import pytest

from devbox.errors import MachineError, RuntimeUnavailableError
from devbox.profile.asks import Grants
from devbox.runtimes.base import Features
from devbox.vm import share
from devbox.workspace import checked as module
from devbox.workspace.checked import checked
from devbox.workspace.sync_order import MOUNT
from devbox.workspace.up import up
from tests.fakes.runtime import FakeRuntime
from tests.support.desk import Desk

LIVE = """
[sync]
mode = "mount"
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A project for a machine that is to see its files themselves."""
    machines = FakeRuntime(features=Features(own_kernel=True, bind_mounts=False))
    monkeypatch.setattr(module, "backend", lambda host, name: machines)
    return Desk(directory=tmp_path / "shop").write(LIVE)


def test_a_host_without_it_is_one_error_and_nothing_is_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lack = share.Lack(why="virtiofsd is not installed", package="virtiofsd")
    monkeypatch.setattr(share, "lacking", lambda processes, shared: lack)
    with pytest.raises(MachineError, match="shared live with a machine: virtiofsd is not installed") as caught:
        up(desk.host, desk.workspace)
    assert "apt-get install --no-install-recommends virtiofsd, or" in (caught.value.hint or "")
    assert desk.engine.containers({}) == []


def test_a_host_that_has_it_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(share, "require", lambda processes, shared: asked.append(shared))
    assert checked(desk.host, desk.workspace).mode == MOUNT
    assert asked == [str(desk.directory)]


def test_a_copy_asks_for_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "require", lambda processes, shared: pytest.fail("nobody asked for a share"))
    desk.write()
    assert checked(desk.host, desk.workspace).mode == "two-way"


def test_a_system_that_devbox_has_not_made_has_none(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop" / "x.qcow2").touch()
    profile = 'name = "shop"\nruntime = "vm"\n[base]\ndisk = "x.qcow2"\n' + LIVE
    (desk.directory / "devbox.toml").write_text(profile, encoding="utf-8")
    monkeypatch.setattr(module, "agreed", lambda host, workspace, loaded: Grants())
    with pytest.raises(RuntimeUnavailableError, match="a machine sees no directory of this host"):
        checked(desk.host, desk.workspace)
