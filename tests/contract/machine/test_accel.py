"""What a machine is run by, with a QEMU that starts no kernel; the real one is in tests/integration/vm."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from devbox.interrupts import SignalledError, signals_raise
from devbox.process import Account, HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import accel, qemu
from devbox.vm.accel import Accelerator, choose, distrust, instead
from devbox.vm.mark import Marks
from tests.contract.machine.conftest import Tell
from tests.fakes.processes import FakeProcesses


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "kvm"
    made.touch()
    monkeypatch.setattr(accel, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(accel, "_KVM", made)
    monkeypatch.setattr(accel, "_LIMIT", 30.0)
    return made


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    made = tmp_path / "vmlinux"
    made.write_bytes(b"kernel")
    return made


class Chooser:
    """`choose` for one kernel, with how often a kernel was started for it."""

    def __init__(self, kernel: Path, cache: Path, processes: HostProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel, self.cache, self.processes = kernel, cache, processes
        self.tried = 0
        real = accel._failing_words

        def counted(*given: object) -> str | None:
            self.tried += 1
            return real(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(accel, "_failing_words", counted)

    def __call__(self) -> Accelerator:
        return choose(qemu.find(self.processes), self.kernel, self.cache, self.processes)


@pytest.fixture
def chosen(
    tell: Tell, kernel: Path, tmp_path: Path, processes: HostProcesses, monkeypatch: pytest.MonkeyPatch
) -> Chooser:
    tell()
    return Chooser(kernel, tmp_path / "cache", processes, monkeypatch)


def emulated(why: str) -> Accelerator:
    return Accelerator(name="tcg", why=f"the machine is emulated, and so several times slower: {why}")


def test_a_kernel_that_starts_is_the_proof_and_is_asked_for_once(tell: Tell, chosen: Chooser) -> None:
    tell(say="SeaBIOS\n[    0.0] Linux version 6.1", exit=0)
    assert chosen() == Accelerator(name="kvm")
    assert chosen() == Accelerator(name="kvm")
    assert chosen.tried == 1


@pytest.mark.long
def test_a_kernel_that_says_nothing_is_emulated_and_that_is_said_once(
    tell: Tell, chosen: Chooser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "_LIMIT", 0.7)
    tell(say="SeaBIOS", sleep=True)
    assert chosen() == emulated("KVM can be opened, but no kernel starts on it within 0.7 s")
    assert chosen() == Accelerator(name="tcg")
    assert chosen.tried == 1


@pytest.mark.long
def test_one_that_is_late_because_it_came_from_a_slow_disk_is_given_a_second_time(
    chosen: Chooser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "_LIMIT", 3.0)
    program, seen = tmp_path / "qemu", tmp_path / "seen"
    program.write_text(
        f"#!/bin/sh\n[ $1 != --version ] || exit 0\n[ -e {seen} ] || {{ touch {seen}; exec sleep 60; }}\n"
        "echo Linux version 6.1\n"
    )
    program.chmod(0o755)
    assert choose(str(program), chosen.kernel, chosen.cache, chosen.processes) == Accelerator(name="kvm")
    assert seen.exists()


class Interrupting(HostProcesses):
    """Sends this process a signal when it has started one, and knows which."""

    pid = 0

    def start_into(
        self,
        reader: Sequence[str],
        argv: Sequence[str],
        *,
        cwd: Path,
        inherit: Sequence[int] = (),
        account: Account | None = None,
    ) -> int:
        self.pid = super().start_into(reader, argv, cwd=cwd, inherit=inherit, account=account)
        os.kill(os.getpid(), signal.SIGINT)
        return self.pid


def test_a_signal_as_it_is_started_leaves_nothing_running(tell: Tell, chosen: Chooser) -> None:
    tell(sleep=True)
    processes = Interrupting(SilentReporter())
    with pytest.raises(SignalledError), signals_raise():
        choose(qemu.find(processes), chosen.kernel, chosen.cache, processes)
    assert processes.pid
    with pytest.raises(ProcessLookupError):
        os.kill(processes.pid, 0)


TRYING = """
import sys
from pathlib import Path
from types import SimpleNamespace
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import accel, qemu
accel.sys, accel._KVM = SimpleNamespace(platform="linux"), Path(sys.argv[1])
processes = HostProcesses(SilentReporter())
accel.choose(qemu.find(processes), Path(sys.argv[2]), Path(sys.argv[3]), processes)
"""


def test_one_that_outlives_a_devbox_that_was_killed_is_ended_by_the_next(
    tell: Tell, chosen: Chooser, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(sleep=True)
    program = qemu.find(chosen.processes)
    monkeypatch.setenv("DEVBOX_FAULT", f"kill:1:started {program}")
    words = [sys.executable, "-c", TRYING, str(device), str(chosen.kernel), str(chosen.cache)]
    assert subprocess.run(words, timeout=60).returncode == -signal.SIGKILL
    marks = Marks(chosen.processes)
    left = marks.started_with(*accel._name(chosen.cache))
    assert left
    assert list(chosen.cache.glob("making-*"))
    accel.sweep(chosen.cache, chosen.processes)
    assert not marks.lives(left)
    tell(say="Linux version", exit=0)
    assert chosen() == Accelerator(name="kvm")


def test_a_qemu_that_ends_is_quoted(tell: Tell, chosen: Chooser) -> None:
    tell(say="qemu: error: failed to set MSR 0x10a", exit=1)
    words = "KVM can be opened, but no kernel starts on it: qemu: error: failed to set MSR 0x10a"
    assert chosen() == emulated(words)


def test_another_kernel_qemu_or_boot_is_tried_anew(
    tell: Tell, chosen: Chooser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(say="Linux version", exit=0)
    chosen()
    os.utime(qemu.find(chosen.processes), (1, 1))
    chosen()
    chosen.kernel.write_bytes(b"another kernel")
    chosen()
    monkeypatch.setattr(accel, "boot_id", lambda: "another")
    chosen()
    assert chosen.tried == 4


def test_a_host_without_the_device_is_told_once_and_asked_again(tell: Tell, chosen: Chooser, device: Path) -> None:
    tell(say="Linux version", exit=0)
    device.unlink()
    assert chosen() == emulated(f"there is no {device}")
    assert chosen() == Accelerator(name="tcg")
    assert chosen.tried == 0
    device.touch()
    assert chosen().name == "kvm"


def test_a_device_that_may_not_be_opened_names_the_group(
    chosen: Chooser, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != device)
    assert chosen() == emulated(f"{device} may not be opened (you are not in the group kvm)")


@pytest.fixture
def mac(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device.unlink()  # it has none, and needs none
    monkeypatch.setattr(accel, "sys", SimpleNamespace(platform="darwin"))


@pytest.mark.usefixtures("mac")
def test_on_macos_a_kernel_has_to_start_on_hvf_just_so(chosen: Chooser, tmp_path: Path) -> None:
    program = tmp_path / "qemu"
    program.write_text('#!/bin/sh\ncase " $* " in *" -accel hvf -cpu host "*) echo "Linux version 6.1";; esac\n')
    program.chmod(0o755)
    for _ in range(2):
        assert choose(str(program), chosen.kernel, chosen.cache, chosen.processes) == Accelerator(name="hvf")
    assert chosen.tried == 1


@pytest.mark.usefixtures("mac")
def test_on_macos_one_on_which_no_kernel_starts_is_emulated_and_that_is_said_once(tell: Tell, chosen: Chooser) -> None:
    tell(say="qemu: -accel hvf: Error: ret = HV_UNSUPPORTED", exit=1)
    words = "HVF can be opened, but no kernel starts on it: qemu: -accel hvf: Error: ret = HV_UNSUPPORTED"
    assert chosen() == emulated(words)
    assert chosen() == Accelerator(name="tcg")
    assert chosen.tried == 1


def test_a_verdict_that_cannot_be_read_or_kept_is_found_again(tell: Tell, chosen: Chooser) -> None:
    tell(say="Linux version", exit=0)
    chosen()
    (verdict,) = chosen.cache.glob("*.json")
    verdict.write_text('{"name": "kvm"}')
    chosen()
    assert chosen.tried == 2
    shutil.rmtree(chosen.cache)
    chosen.cache.write_text("no directory")
    chosen()
    chosen()
    assert chosen.tried == 4


def test_what_was_accelerated_and_did_not_come_up_is_emulated_from_then_on(tell: Tell, chosen: Chooser) -> None:
    tell(say="Linux version", exit=0)
    assert chosen().name == "kvm"
    assert instead() == emulated("a machine that was accelerated did not come up")
    distrust(qemu.find(chosen.processes), chosen.kernel, chosen.cache)
    assert chosen() == Accelerator(name="tcg")


def test_the_version_has_what_the_distribution_added() -> None:
    processes = FakeProcesses()
    processes.answer("qemu", "--version", with_="QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright\n")
    assert qemu.version("qemu", processes) == "7.2.22 (Debian 1:7.2+dfsg-7)"
