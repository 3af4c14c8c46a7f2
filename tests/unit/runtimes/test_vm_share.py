"""A machine that shares the project live: what is kept of it, what it is started with, what it cannot do."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import RuntimeUnavailableError
from devbox.profile.model import Profile
from devbox.reporter import SilentReporter
from devbox.runtimes.base import InstanceSpec, Share
from devbox.runtimes.vm import inner, stored
from devbox.runtimes.vm.boot import Bench
from devbox.runtimes.vm.instance import VmInstance
from devbox.runtimes.vm.runtime import VmRuntime
from devbox.vm import share
from devbox.workspace.spec import machine_options
from devbox.workspace.sync_order import MOUNT, mode
from tests.fakes.engine import FakeEngine
from tests.fakes.processes import FakeProcesses
from tests.unit.runtimes.test_vm import SPEC, made

PROJECT = Share(source="/src/shop", target=SPEC.workdir)


def live(spec: InstanceSpec = SPEC) -> InstanceSpec:
    return replace(spec, shares=(PROJECT, *spec.shares))


def runtime(*programs: str) -> VmRuntime:
    return VmRuntime(Bench(engine=FakeEngine(), processes=FakeProcesses(*programs), reporter=SilentReporter()))


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_it_is_kept_beside_the_files_that_are_copied(tmp_path: Path) -> None:
    kept = made(live())
    assert (kept.share, [one.target for one in kept.files]) == (PROJECT, ["/etc/ca.pem"])
    stored.write(tmp_path, kept)
    assert stored.read(tmp_path) == kept
    assert made().share is None


def test_what_a_devbox_has_kept_that_knew_no_share_is_read(tmp_path: Path) -> None:
    stored.write(tmp_path, made())
    text = (tmp_path / stored.FILE).read_text(encoding="utf-8")
    (tmp_path / stored.FILE).write_text(text.replace(',\n "share": null', ""), encoding="utf-8")
    assert "share" not in (tmp_path / stored.FILE).read_text(encoding="utf-8")
    assert stored.read(tmp_path) == made()


def test_it_says_what_it_sees_and_nothing_of_it_can_be_saved(tmp_path: Path) -> None:
    bench = Bench(engine=FakeEngine(), processes=FakeProcesses(), reporter=SilentReporter())
    shared, copied = (VmInstance(tmp_path, made(spec), bench) for spec in (live(), SPEC))
    assert (shared.shares, shared.saved, shared.snapshots) == ((PROJECT,), None, None)
    assert (copied.shares, copied.saved) == ((), False)
    assert copied.snapshots is not None


def test_no_other_directory_is_shared() -> None:
    elsewhere = replace(SPEC, shares=(PROJECT, Share(source="/data", target="/data")))
    with pytest.raises(RuntimeUnavailableError, match="/data cannot be mounted"):
        runtime().create(elsewhere)
    assert runtime().create(live()).shares == (PROJECT,)


def test_the_runtime_declares_it_where_there_is_a_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(share, "_PLACES", (str(tmp_path / "virtiofsd"),))
    monkeypatch.setattr(share.sys, "platform", "linux")
    assert not runtime().features.live_share
    (tmp_path / "virtiofsd").touch(mode=0o755)
    features = runtime().features
    assert (features.live_share, features.bind_mounts) == (True, False)


@pytest.mark.parametrize(("wanted", "found"), [("auto", "two-way"), ("mount", MOUNT), ("one-way", "one-way")])
def test_it_is_for_those_who_ask_for_it(wanted: str, found: str) -> None:
    profile = Profile.model_validate({"runtime": "vm", "sync": {"mode": wanted}})
    assert mode(profile.sync, runtime().features) == found


def test_such_a_machine_neither_goes_on_from_another_nor_is_gone_on_from() -> None:
    profile = Profile.model_validate({"runtime": "vm"})
    options = [machine_options(profile, base=None, live=live) for live in (True, False)]
    assert [one.ready for one in options if one] == [False, True]


def test_it_is_mounted_where_the_project_is() -> None:
    argv = inner.shared("/workspaces/my shop")
    assert argv[-2:] == ("devbox", "/workspaces/my shop")
    assert "mount -t virtiofs -o nosuid,nodev" in argv[2]
