"""A machine's life, with a QEMU that boots nothing; the real one is in tests/integration/vm."""

import errno
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbox.errors import MachineError, RuntimeUnavailableError
from devbox.process import HostProcesses
from devbox.vm import machine as module
from devbox.vm import qemu
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import Drive, MachineSpec, argv
from devbox.vm.snapshot import capture, go_on, resume, save
from tests.contract.machine.conftest import Tell
from tests.fakes.processes import FakeProcesses
from tests.support.disks import qcow2
from tests.support.waiting import until

FINDING = """
from pathlib import Path
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm.machine import Machine
assert Machine(Path({!r}), HostProcesses(SilentReporter())).running()
"""


def pid_of(machine: Machine) -> int:
    return int((machine._directory / "qemu").read_text().split("\n")[2])


def core_limits(pid: int) -> list[str]:
    """Return how large a core file of it may be, and how large it may ever be."""
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    (row,) = (line for line in limits if line.startswith("Max core file size"))
    return row.split()[4:6]


def ended(pid: int) -> bool:
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return True


def test_it_runs_in_a_directory_of_its_own_until_it_is_stopped(tell: Tell, machine: Machine, spec: MachineSpec) -> None:
    tell(say="booting")
    assert not machine.running()
    machine.start(spec)
    directory = Path(spec.directory)
    assert machine.running()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in directory.iterdir()} == {0}
    pid = pid_of(machine)
    assert os.getsid(pid) == pid
    until(lambda: machine.tail() == "booting")
    assert machine.console() == b"booting\n"
    machine.stop(10)
    assert not machine.running()
    assert ended(pid)
    assert {path.name for path in directory.iterdir()} <= {"console", "console.end"}


def test_qemu_is_told_what_a_disk_lies_on_and_no_header_does(
    tell: Tell, machine: Machine, spec: MachineSpec, tmp_path: Path
) -> None:
    tell()
    base, own = tmp_path / "base", tmp_path / "own"
    qcow2(base, 1 << 20)
    qcow2(own, 1 << 20, str(base))
    machine.start(replace(spec, drives=(Drive(path=str(own), format="qcow2", serial="root"),)))
    words = Path(f"/proc/{pid_of(machine)}/cmdline").read_text().split("\0")
    told = json.loads(words[words.index("-blockdev") + 1])
    assert told["backing"]["file"] == {"driver": "file", "filename": str(base), "read-only": True, "discard": "unmap"}
    assert (told["backing"]["driver"], told["backing"]["backing"]) == ("qcow2", None)


def test_no_core_file_of_it_can_be_made(tell: Tell, machine: Machine, spec: MachineSpec) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        tell()
        machine.start(spec)
        assert resource.getrlimit(resource.RLIMIT_CORE) == (hard, hard), "this process is as it was"
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert core_limits(pid_of(machine)) == ["0", "0"]


def test_starting_what_runs_and_stopping_what_does_not_change_nothing(
    tell: Tell, machine: Machine, spec: MachineSpec
) -> None:
    tell()
    machine.stop()
    machine.kill()
    machine.start(spec)
    pid = pid_of(machine)
    machine.start(spec)
    assert pid_of(machine) == pid
    machine.stop()
    machine.stop()


def test_another_object_finds_it(tell: Tell, machine: Machine, spec: MachineSpec, processes: HostProcesses) -> None:
    tell()
    machine.start(spec)
    other = Machine(Path(spec.directory), processes)
    assert other.running()
    other.stop()
    assert not machine.running()


def test_a_directory_whose_path_is_longer_than_a_sockets_may_be(
    tell: Tell, tmp_path: Path, spec: MachineSpec, processes: HostProcesses
) -> None:
    tell()
    directory = tmp_path / ("a" * 100) / ("b" * 100)
    machine = Machine(directory, processes)
    try:
        machine.start(replace(spec, directory=str(directory)))
        assert machine.running()
        machine.stop()
        assert not machine.running()
    finally:
        machine.kill()


def test_without_qemu_the_package_is_named_and_nothing_is_made(tmp_path: Path, spec: MachineSpec) -> None:
    with pytest.raises(RuntimeUnavailableError, match="Debian's package qemu-system-"):
        Machine(tmp_path / "machine", FakeProcesses()).start(spec)
    assert not (tmp_path / "machine").exists()


def test_a_qemu_that_ends_at_once_is_one_error_in_its_own_words(
    tell: Tell, machine: Machine, spec: MachineSpec
) -> None:
    tell(say="qemu: could not load kernel '/nothing'", exit=1)
    with pytest.raises(MachineError, match=r"shop does not come up: ended by itself \(exit code 1\)") as caught:
        machine.start(spec)
    assert caught.value.detail == "qemu: could not load kernel '/nothing'"
    assert caught.value.hint == "read all that it said: devbox logs --console"
    assert caught.value.exit_status == 3
    assert not machine.running()
    assert not (Path(spec.directory) / "qemu").exists()


def test_a_panic_is_the_error_and_ends_the_machine(tell: Tell, machine: Machine, spec: MachineSpec) -> None:
    tell(say="[ 1.0] Kernel panic - not syncing: no init found\n[ 1.1] ---[ end ]---")

    def come_up() -> None:
        machine.start(spec)  # it may be seen as early as here
        machine.await_agent(lambda: False, 30)

    with pytest.raises(MachineError, match=r"Kernel panic - not syncing: no init found$") as caught:
        come_up()
    assert caught.value.detail is not None
    assert caught.value.detail.endswith("[ 1.1] ---[ end ]---")
    assert not machine.running()


def test_a_qemu_that_is_killed_is_noticed(tell: Tell, machine: Machine, spec: MachineSpec) -> None:
    tell()
    machine.start(spec)
    handle = machine.watch()
    assert handle is not None
    os.kill(pid_of(machine), signal.SIGKILL)
    assert select.select([handle], [], [], 10)[0] == [handle]
    os.close(handle)
    assert not machine.running()
    assert machine.watch() is None
    with pytest.raises(MachineError, match=r"ended by itself \(exit code 137\) before its agent answered"):
        machine.await_agent(lambda: False, 30)
    machine.start(spec)
    assert machine.running()


def test_an_agent_that_answers_is_waited_for_and_one_that_does_not_ends_the_machine(
    tell: Tell, machine: Machine, spec: MachineSpec
) -> None:
    tell()
    machine.start(spec)
    answers = iter([False, False, True])
    machine.await_agent(lambda: next(answers), 30)
    assert machine.running()
    with pytest.raises(MachineError, match=r"its agent does not answer within 0\.1 s"):
        machine.await_agent(lambda: False, 0.1)
    assert not machine.running()


@pytest.mark.parametrize("deaf", [["system_powerdown"], ["system_powerdown", "quit"]])
def test_one_that_does_not_do_what_it_is_told_is_ended_all_the_same(
    tell: Tell, machine: Machine, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch, deaf: list[str]
) -> None:
    monkeypatch.setattr(module, "_QUIT", 0.5)
    tell(deaf=deaf)
    machine.start(spec)
    pid = pid_of(machine)
    before = time.monotonic()
    machine.stop(0.3)
    assert time.monotonic() - before >= 0.3
    assert ended(pid)


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(
    tell: Tell, machine: Machine, spec: MachineSpec, processes: HostProcesses, tmp_path: Path
) -> None:
    tell()
    machine.start(spec)
    record = Path(spec.directory) / "qemu"
    lines = record.read_text().split("\n")
    machine.kill()
    other = processes.start(["sleep", "60"], log=tmp_path / "log")
    record.write_text("\n".join([*lines[:2], str(other), *lines[3:]]))
    assert not machine.running()
    machine.stop(1)
    machine.kill()
    assert not ended(other)
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)


def test_one_whose_starter_was_killed_before_it_wrote_down_the_pid_is_found_by_its_uuid(
    tell: Tell, machine: Machine, spec: MachineSpec
) -> None:
    tell()
    machine.start(spec)
    pid = pid_of(machine)
    record = Path(spec.directory) / "qemu"
    record.write_text("\n".join([*record.read_text().split("\n")[:2], ""]))
    assert machine.running()
    assert pid_of(machine) == pid
    machine.stop()
    assert ended(pid)


def test_one_so_new_that_it_does_not_listen_yet_is_found_as_well(
    tell: Tell, machine: Machine, spec: MachineSpec, processes: HostProcesses
) -> None:
    tell(sleep=True)
    directory = Path(spec.directory)
    directory.mkdir()
    (directory / "qemu").write_text(f"{spec.uuid}\n{spec.name}\n")
    pid = processes.start(argv(spec, qemu.find(processes)), log=directory / "log")
    until(machine.running)
    assert pid_of(machine) == pid
    machine.kill()
    assert ended(pid)
    assert not machine.running()


def test_two_that_find_it_so_at_once_do_not_hinder_each_other(
    tell: Tell, machine: Machine, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell()
    machine.start(spec)
    record, other, real = Path(spec.directory) / "qemu", FINDING.format(spec.directory), os.replace
    record.write_text("\n".join([*record.read_text().split("\n")[:2], ""]))
    ran = []

    def after_another(source: str, target: str) -> None:
        if not ran:
            ran.append(subprocess.run([sys.executable, "-c", other], check=True))
        real(source, target)

    monkeypatch.setattr(os, "replace", after_another)
    assert machine.running()
    assert ran
    assert {path.name for path in record.parent.glob("qemu*")} == {"qemu"}
    assert pid_of(machine)


def test_on_a_full_disk_it_is_not_started_and_one_that_runs_is_still_found(
    tell: Tell, machine: Machine, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    tell()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(MachineError, match="qemu cannot be written: No space left on device"):
            machine.start(spec)
    assert not machine.running()
    machine.start(spec)
    record = Path(spec.directory) / "qemu"
    record.write_text("\n".join([*record.read_text().split("\n")[:2], ""]))
    monkeypatch.setattr(os, "fsync", full)
    assert machine.running()


def test_one_that_runs_cannot_go_on_from_a_state_and_goes_on_as_it_is(
    tell: Tell, machine: Machine, spec: MachineSpec, tmp_path: Path
) -> None:
    tell()
    machine.start(spec)
    state = tmp_path / "state"
    state.touch()
    with pytest.raises(MachineError, match="shop runs"):
        resume(machine, spec, state)
    assert machine.running()
    assert state.exists()


def test_one_with_another_uuid_is_not_this_machine(
    tell: Tell, machine: Machine, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_START", 1.0)
    tell(uuid="99999999-2222-3333-4444-555555555555")
    with pytest.raises(MachineError, match="QEMU does not answer within 1 s"):
        machine.start(spec)


def test_a_qemu_that_has_another_machine_is_told_nothing(
    tell: Tell, machine: Machine, spec: MachineSpec, tmp_path: Path
) -> None:
    tell()
    machine.start(spec)
    record = Path(spec.directory) / "qemu"
    own = record.read_text()
    with machine.ask() as asked:
        asked.execute("stop")
    record.write_text(own.replace(spec.uuid, "99999999-2222-3333-4444-555555555555"))
    with pytest.raises(MachineError, match=f"has the machine {spec.uuid}, and not 99999999-"):
        save(machine, tmp_path / "state")
    with pytest.raises(MachineError, match=f"has the machine {spec.uuid}"):
        capture(machine, tmp_path / "memory", meanwhile=lambda _: None)
    with pytest.raises(MachineError, match=f"has the machine {spec.uuid}"):
        go_on(machine)
    record.write_text(own)
    assert machine.running()
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "machine"}
    with machine.ask() as asked:
        assert asked.execute("query-status") == {"status": "paused"}, "it stands as it stood"


def test_a_record_that_cannot_be_read_is_none(tell: Tell, machine: Machine, spec: MachineSpec) -> None:
    tell()
    Path(spec.directory).mkdir()
    (Path(spec.directory) / "qemu").write_text("what is this")
    assert not machine.running()
    machine.start(spec)
    assert machine.running()


def test_more_memory_than_the_host_has_is_refused_before_anything_is_made(
    tell: Tell, machine: Machine, spec: MachineSpec
) -> None:
    tell()
    with pytest.raises(MachineError, match=r"is to have 1024\.0 TiB of memory, and this host has") as caught:
        machine.start(replace(spec, memory=1024**5))
    assert caught.value.hint is not None
    assert not Path(spec.directory).exists()


def test_what_is_passed_on_by_a_start_that_was_interrupted_does_not_run(
    tell: Tell, machine: Machine, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell()
    pids = []

    write = machine._write

    def interrupted(record: Any) -> None:
        write(record)
        if record.mark:
            pids.append(record.mark.pid)
            raise KeyboardInterrupt

    monkeypatch.setattr(machine, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        machine.start(spec)
    assert ended(pids[0])
