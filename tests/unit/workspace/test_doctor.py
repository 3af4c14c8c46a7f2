from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.engine.own.engine import OwnEngine
from devbox.errors import CommandFailedError, EngineUnavailableError
from devbox.process import Completed
from devbox.reporter import SilentReporter
from devbox.vm import disk, firmware, share
from devbox.vm.qemu import architecture
from devbox.workspace import remedies
from devbox.workspace.context import Host
from devbox.workspace.doctor import Check, Status, diagnose, fixes
from devbox.workspace.known_bad import known_bad
from devbox.workspace.remedies import Command
from tests.fakes.engine import FakeEngine
from tests.fakes.processes import Call, FakeProcesses, completed


def no_engine() -> object:
    raise EngineUnavailableError("no container engine is running here", hint="start one")


def make_host(programs: FakeProcesses, *, uid: int = 0, environ: Mapping[str, str] | None = None) -> Host:
    return Host(
        reporter=SilentReporter(),
        processes=programs,
        environ=environ or {},
        cwd=Path("/"),
        connect=no_engine,  # type: ignore[arg-type]
        interactive=False,
        uid=uid,
        gid=uid,
    )


def by_id(checks: Sequence[Check]) -> dict[str, Check]:
    return {check.id: check for check in checks}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)


def test_all_is_looked_at_though_no_engine_answers_and_nothing_is_run() -> None:
    programs = FakeProcesses("apt-get")
    checks = by_id(diagnose(make_host(programs)))
    assert checks["engine"].status is Status.FAIL
    assert {"podman", "bootstrap", "qemu", "acceleration", "disk", "permissions", "command"} <= checks.keys()
    assert all(check.remedy for check in checks.values() if check.status is not Status.OK)
    assert programs.argvs == []


def test_a_missing_engine_is_installed_and_started_an_installed_one_only_started() -> None:
    missing = by_id(diagnose(make_host(FakeProcesses("apt-get"))))["engine"].fix
    assert missing[0].argv == ("apt-get", "update")
    assert missing[1].argv[:3] == ("apt-get", "install", "-y")
    installed = by_id(diagnose(make_host(FakeProcesses("apt-get", "docker"))))["engine"].fix
    assert installed == missing[2:]


def test_an_engine_that_the_user_named_is_not_ours_to_start() -> None:
    programs = FakeProcesses("docker", "apt-get")
    checks = by_id(diagnose(make_host(programs, environ={"DOCKER_HOST": "ssh://away"})))
    assert checks["engine"].fix == ()


def test_an_ordinary_user_gets_the_commands_with_sudo() -> None:
    host = make_host(FakeProcesses("dnf"), uid=1000)
    assert remedies.install(host, "engine") == (Command(argv=("sudo", "dnf", "install", "-y", "moby-engine")),)


def test_brew_is_never_run_as_root() -> None:
    assert remedies.install(make_host(FakeProcesses("brew"), uid=501), "qemu")[0].argv[0] == "brew"


def test_without_a_known_package_manager_there_is_nothing_to_run() -> None:
    assert remedies.install(make_host(FakeProcesses()), "engine") == ()


@pytest.mark.parametrize(
    ("systemd", "there", "argv"),
    [
        (True, frozenset(), ("systemctl", "start", "docker")),
        (False, frozenset({"rc-service"}), ("rc-service", "docker", "start")),
        (False, frozenset(), ("dockerd",)),
    ],
)
def test_an_engine_is_started_as_the_system_does_it(
    systemd: bool, there: frozenset[str], argv: tuple[str, ...]
) -> None:
    (command,) = remedies.start_engine(make_host(FakeProcesses(*there)), systemd=systemd, darwin=False)
    assert command.argv == argv
    assert command.background is (argv == ("dockerd",))


def test_each_command_is_carried_out_once_and_in_order() -> None:
    twice = (Command(argv=("a",)), Command(argv=("b",)))
    checks = [
        Check(id="x", status=Status.FAIL, message="", fix=twice),
        Check(id="y", status=Status.WARN, message="", fix=twice),
        Check(id="z", status=Status.OK, message="", fix=(Command(argv=("c",)),)),
    ]
    programs = FakeProcesses("a", "b", "c")
    remedies.carry_out(make_host(programs), fixes(checks))
    assert programs.argvs == [("a",), ("b",)]


def test_a_state_directory_that_others_can_read_is_noticed(tmp_path: Path) -> None:
    state = tmp_path / ".local" / "state" / "devbox"
    state.mkdir(parents=True)
    state.chmod(0o755)
    check = by_id(diagnose(make_host(FakeProcesses(), uid=state.stat().st_uid)))["permissions"]
    assert check.status is Status.WARN
    assert check.fix == (Command(argv=("chmod", "700", str(state))),)


def test_another_command_of_this_name_is_noticed_and_ours_is_not(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours" / "devbox", tmp_path / "other" / "devbox"
    for path, text in ((ours, "#!/bin/sh\nfrom devbox.launcher import main\n"), (other, "#!/bin/sh\n")):
        path.parent.mkdir()
        path.write_text(text)
        path.chmod(0o755)
    alone = by_id(diagnose(make_host(FakeProcesses(), environ={"PATH": str(ours.parent)})))["command"]
    assert alone.status is Status.OK
    both = by_id(diagnose(make_host(FakeProcesses(), environ={"PATH": f"{other.parent}:{ours.parent}"})))["command"]
    assert both.status is Status.WARN
    assert f"the other one, {other}" in both.message


@pytest.mark.parametrize(
    ("program", "version", "count"),
    [
        ("runc", "1.1.5+ds1", 2),
        ("runc", "1.1.12", 1),
        ("runc", "1.2.8", 0),
        ("runc", "1.3.1", 1),
        ("runc", "1.3.3", 0),
        ("docker", "20.10.24+dfsg1", 0),  # what it does wrong is with published ports, and devbox publishes none
        ("docker", "28.2.2", 0),
        ("podman", "4.3.1", 0),
        ("runc", "unknown", 0),
    ],
)
def test_known_holes_are_found_by_version(program: str, version: str, count: int) -> None:
    assert len(known_bad(program, version)) == count


def test_an_engine_in_the_background_is_waited_for_until_it_answers(tmp_path: Path) -> None:
    programs, engine = FakeProcesses(), FakeEngine()
    running: list[Call] = []

    def start(call: Call) -> Completed:
        running.append(call)
        return completed()

    programs.answer("dockerd", with_=start)
    host = replace(make_host(programs), connect=lambda: engine if running else no_engine())
    remedies.carry_out(host, (Command(argv=("dockerd",), background=True),), log=tmp_path / "log")
    assert [(call.how, call.argv) for call in running] == [("start", ("dockerd",))]
    assert engine.closed


def test_a_command_that_fails_ends_the_remedy() -> None:
    programs = FakeProcesses("b")
    programs.answer("a", with_=completed("no such package", status=100))
    with pytest.raises(CommandFailedError, match="exit code 100"):
        remedies.carry_out(make_host(programs), (Command(argv=("a",)), Command(argv=("b",))))
    assert programs.argvs == [("a",)]


def test_without_an_engine_machines_alone_can_be_had() -> None:
    own = OwnEngine(Path("/nowhere"), EngineUnavailableError("no container engine is running here"))
    found = diagnose(replace(make_host(FakeProcesses("apt-get")), connect=lambda: own))
    check = by_id(found)["engine"]
    assert check.status is Status.WARN
    assert "virtual machines can be had" in check.message
    assert check.fix
    assert "clock" not in by_id(found)


def test_qemu_without_what_keeps_a_machine_from_the_hosts_loopback_is_a_warning() -> None:
    name = f"qemu-system-{architecture()}"
    check = by_id(diagnose(make_host(FakeProcesses(name, "apt-get"))))["qemu"]
    assert check.status is Status.WARN
    assert "127.0.0.1" in check.message
    assert "passt" in check.fix[-1].argv
    assert by_id(diagnose(make_host(FakeProcesses(name, "passt"))))["qemu"].status is Status.OK


@pytest.mark.parametrize("manager", ["apt-get", "dnf", "apk", "brew"])
def test_a_missing_qemu_is_installed(manager: str) -> None:
    check = by_id(diagnose(make_host(FakeProcesses(manager))))["qemu"]
    assert check.status is Status.WARN
    assert any(word.startswith("qemu") for word in check.fix[-1].argv)
    assert ("passt" in check.fix[-1].argv) is (manager != "brew")
    assert check.remedy == " && ".join(" ".join(command.argv) for command in check.fix)


def test_where_passt_alone_is_missing_it_is_what_is_installed() -> None:
    name = f"qemu-system-{architecture()}"
    check = by_id(diagnose(make_host(FakeProcesses(name, "apk"))))["qemu"]
    assert check.fix == (Command(argv=("apk", "add", "passt")),)
    nowhere = by_id(diagnose(make_host(FakeProcesses(name, "brew"))))["qemu"]
    assert (nowhere.status, nowhere.fix, nowhere.remedy) == (Status.WARN, (), "install passt")


def test_a_live_share_is_nobodys_duty_and_its_price_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"qemu-system-{architecture()}"
    monkeypatch.setattr(share, "lacking", lambda processes: None)
    there = by_id(diagnose(make_host(FakeProcesses(name))))["live-share"]
    assert (there.status, share.TRADE_OFF in there.message) == (Status.OK, True)
    monkeypatch.setattr(share, "lacking", lambda processes: share.Lack(why="virtiofsd is not installed", package="vfs"))
    missing = by_id(diagnose(make_host(FakeProcesses(name))))["live-share"]
    assert missing.status is Status.OK
    assert "virtiofsd is not installed (Debian's package vfs)" in missing.message
    assert "there is no QEMU" in by_id(diagnose(make_host(FakeProcesses())))["live-share"].message


@pytest.mark.parametrize(
    ("uid", "there", "version", "missing"),
    [
        (0, ("mke2fs", "qemu-img"), "1.47.0", ()),
        (1000, ("mke2fs", "qemu-img"), "1.47.1", ()),
        (1000, ("mke2fs", "qemu-img", "fakeroot"), "1.47.0", ()),
        (1000, ("mke2fs", "qemu-img"), "1.47.0", ("fakeroot",)),
        (0, (), "", ("e2fsprogs", "qemu-utils")),
        (1000, ("qemu-img",), "", ("e2fsprogs", "fakeroot")),
    ],
)
def test_what_the_disk_of_a_machine_is_made_with_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, uid: int, there: tuple[str, ...], version: str, missing: tuple[str, ...]
) -> None:
    monkeypatch.setattr(disk, "_SBIN", ())
    programs = FakeProcesses("apt-get", *there)
    if version:
        programs.answer("mke2fs", "-V", with_=completed(stderr=f"mke2fs {version} (5-Feb-2023)"))
    check = by_id(diagnose(make_host(programs, uid=uid)))["machine-disks"]
    assert check.status is (Status.WARN if missing else Status.OK)
    assert tuple(check.fix[-1].argv[-len(missing) :] if check.fix else ()) == missing


def test_the_firmware_that_some_disks_need_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no QEMU" in by_id(diagnose(make_host(FakeProcesses())))["uefi"].message
    host = make_host(FakeProcesses(f"qemu-system-{architecture()}"))
    monkeypatch.setattr(firmware, "_PLACES", {})
    missing = by_id(diagnose(host))["uefi"]
    assert (missing.status, "apt-get install" in missing.message) == (Status.OK, True)
    there = firmware.Firmware(code=Path("/a/code"), variables=Path("/a/variables"))
    monkeypatch.setattr(firmware, "uefi", lambda architecture: there)
    assert "/a/code" in by_id(diagnose(host))["uefi"].message
