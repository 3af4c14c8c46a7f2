"""The real virtiofsd beside a QEMU that boots nothing: who it is, and that neither outlives the other."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.errors import CommandFailedError, MachineError
from devbox.process import HostProcesses
from devbox.vm import share, share_watch
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from tests.contract.machine.conftest import Tell
from tests.contract.machine.test_machine import core_limits, ended, pid_of
from tests.fakes.processes import FakeProcesses, completed
from tests.support.waiting import until

pytestmark = pytest.mark.vm
OWNER = 54321
STARTING = """
from pathlib import Path
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
Machine(Path({!r}), HostProcesses(SilentReporter())).start({!r})
"""


@pytest.fixture
def shared(tell: Tell, machine: Machine, spec: MachineSpec, tmp_path: Path) -> MachineSpec:
    """A running machine that shares a directory; where there are two users, with another than this one."""
    tell()
    directory = tmp_path / "a, project"
    directory.mkdir()
    for parent in (tmp_path, *list(tmp_path.parents)[:3]):  # pytest's own are closed to a second user
        parent.chmod(parent.stat().st_mode | 0o11)
    if os.geteuid() == 0:
        os.chown(directory, OWNER, OWNER)
    made = replace(spec, share=str(directory))
    machine.start(made)
    return made


def daemon_of(machine: Machine) -> int:
    return int((machine._directory / "share").read_text().split("\n")[1])


def status_of(pid: int) -> dict[str, list[str]]:
    rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.split() for name, _, value in (row.partition(":") for row in rows)}


def serving(machine: Machine) -> list[int]:
    """Return the process of the daemon that answers, which is alone in its namespaces."""
    first = daemon_of(machine)
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children]


def test_the_daemon_has_the_rights_of_the_directorys_owner_and_sees_nothing_else(
    machine: Machine, shared: MachineSpec, processes: HostProcesses
) -> None:
    until(lambda: serving(machine))
    (pid,) = serving(machine)
    until(lambda: status_of(pid)["Seccomp"] == ["2"])
    owner = Path(shared.share).stat()
    facts = status_of(pid)
    assert facts["Uid"] == [str(owner.st_uid)] * 4
    assert facts["Gid"] == [str(owner.st_gid)] * 4
    assert facts["NoNewPrivs"] == ["1"]
    daemon = share.find(processes)
    if daemon is not None and not daemon.is_rust:  # that one keeps what it has in its own namespace
        assert (facts["Groups"], facts["CapEff"], facts["CapBnd"]) == ([], ["0" * 16], ["0" * 16])
    for kind in ("user", "mnt", "pid", "net"):
        assert Path(f"/proc/{pid}/ns/{kind}").readlink() != Path(f"/proc/self/ns/{kind}").readlink()
    assert list(Path(f"/proc/{pid}/root").iterdir()) == []
    assert core_limits(pid) == ["0", "0"], "the machine's memory is its own as well"
    assert not (machine._directory / "share.sock").exists()


def test_it_ends_with_the_machine_and_leaves_nothing(machine: Machine, shared: MachineSpec) -> None:
    pids = [daemon_of(machine), pid_of(machine)]
    machine.stop(10)
    until(lambda: all(map(ended, pids)))
    assert {path.name for path in Path(shared.directory).iterdir()} <= {"console", "console.end"}


def test_a_qemu_that_is_killed_takes_it_along(machine: Machine, shared: MachineSpec) -> None:
    pid = daemon_of(machine)
    os.kill(pid_of(machine), signal.SIGKILL)
    until(lambda: ended(pid), within=10)
    machine.start(shared)
    assert daemon_of(machine) != pid


def test_a_qemu_that_has_lost_it_is_ended_and_both_come_back(machine: Machine, shared: MachineSpec) -> None:
    pid = pid_of(machine)
    os.kill(daemon_of(machine), signal.SIGKILL)
    until(lambda: ended(pid), within=10)
    assert not machine.running()
    machine.start(shared)
    assert machine.running()
    assert not ended(daemon_of(machine))


def test_without_whoever_would_end_it_the_next_command_does(machine: Machine, shared: MachineSpec) -> None:
    qemu, pid = pid_of(machine), daemon_of(machine)
    (watcher,) = watchers(machine)
    os.kill(watcher, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    until(lambda: ended(pid) and ended(watcher))
    assert not ended(qemu)
    assert not machine.running()
    machine.start(shared)
    assert ended(qemu)
    assert machine.running()


def test_whoever_starts_it_may_be_killed_anywhere(
    machine: Machine, shared: MachineSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.kill()
    monkeypatch.setenv("DEVBOX_FAULT", f"count:{tmp_path / 'points'}")
    assert started_elsewhere(shared) == 0
    points = (tmp_path / "points").read_text(encoding="utf-8").splitlines()
    named = [number for number, point in enumerate(points, start=1) if "unshare" in point or "qemu" in point]
    assert len(named) >= 4
    for number in range(min(named), len(points) + 1):
        machine.kill()
        until(lambda: not daemons_of(shared))
        monkeypatch.setenv("DEVBOX_FAULT", f"{number}:kill")
        assert started_elsewhere(shared) == -signal.SIGKILL
        until(lambda: machine.running() or not daemons_of(shared))
        monkeypatch.delenv("DEVBOX_FAULT")
        machine.start(shared)
        assert machine.running()
        until(lambda: len(daemons_of(shared)) == 2)  # the one that answers, and the one that waits for it


def started_elsewhere(spec: MachineSpec) -> int:
    """Return how a process ended that starts the machine."""
    return subprocess.run([sys.executable, "-c", STARTING.format(spec.directory, spec)], check=False).returncode


def daemons_of(spec: MachineSpec) -> list[int]:
    """Return the processes that share its directory."""
    words = {f"source={spec.share}".replace(",", "\\,").encode(), f"--shared-dir={spec.share}".encode()}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if words & {*(process / "cmdline").read_bytes().split(b"\0")}:
                found.append(int(process.name))
    return found


def watchers(machine: Machine) -> list[int]:
    """Return the processes that watch its daemon."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = (process / "cwd").readlink() == machine._directory
            if here and b"share_watch" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_one_that_watched_another_daemon_ends_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "share").write_text("another\n", encoding="ascii")
    reading, writing = os.pipe()
    os.close(writing)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("qmp.sock")
        listening.listen(1)  # this process would be what is killed
        child = os.fork()
        if child == 0:
            os.dup2(reading, 0)
            share_watch.watch("log", "qmp.sock", "share", "ours")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    os.close(reading)


def test_a_daemon_that_does_not_start_is_quoted(
    tell: Tell, machine: Machine, spec: MachineSpec, tmp_path: Path
) -> None:
    tell()
    program = tmp_path / "bin" / "virtiofsd"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && exit\necho no such luck\nexit 1\n', encoding="ascii")
    program.chmod(0o755)
    with pytest.raises(MachineError, match="the machine") as caught:
        machine.start(replace(spec, share=str(tmp_path)))
    assert "no such luck" in (caught.value.detail or "")
    assert not machine.running()
    assert {path.name for path in Path(spec.directory).iterdir()} <= {"console", "console.end"}


def test_a_directory_that_is_gone_is_named(tell: Tell, machine: Machine, spec: MachineSpec, tmp_path: Path) -> None:
    tell()
    with pytest.raises(MachineError, match="nowhere cannot be shared"):
        machine.start(replace(spec, share=str(tmp_path / "nowhere")))
    assert not machine.running()


@pytest.mark.parametrize(
    ("there", "said", "words"),
    [
        (False, "", "virtiofsd is not installed"),
        (True, "unshare: unshare failed: Operation not permitted", "no user namespace to be had: unshare failed"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, there: bool, said: str, words: str
) -> None:
    programs = FakeProcesses("unshare", "newgidmap", *(["virtiofsd"] if there else []))
    monkeypatch.setattr(share, "_PLACES", ())
    monkeypatch.setattr(os, "access", lambda *_: there)
    programs.answer("/usr/bin/virtiofsd", "--version", with_=completed("using FUSE kernel interface version 7.36"))
    programs.answer("/usr/bin/unshare", with_=CommandFailedError("failed", detail=said))
    with pytest.raises(MachineError, match="cannot be shared live") as caught:
        share.require(programs)
    assert words.partition(": ")[2] in caught.value.message
    assert 'mode = "two-way"' in (caught.value.hint or "")
    assert ("virtiofsd" in (caught.value.hint or "")) is not there
