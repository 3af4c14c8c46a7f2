"""What a machine is run by when one that was accelerated does not come up, with a QEMU that boots nothing."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from devbox import paths
from devbox.errors import MachineError
from devbox.process import HostProcesses
from devbox.runtimes.base import AgentSpec, InstanceSpec, MachineOptions
from devbox.runtimes.vm import boot, instance, stored
from devbox.values import LABEL_WORKSPACE, GuestUser
from devbox.vm import accel, qemu
from devbox.vm import machine as module
from devbox.vm.accel import choose
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from tests.contract.machine.conftest import Tell
from tests.fakes.engine import FakeEngine
from tests.fakes.reporter import RecordingReporter
from tests.support.waiting import until


class Bench:
    """A host whose acceleration a kernel was seen to start on, and one machine."""

    def __init__(self, machine: Machine, spec: MachineSpec, cache: Path, processes: HostProcesses) -> None:
        self.machine, self.spec, self.cache, self.processes = machine, spec, cache, processes
        self.reporter = RecordingReporter()
        self.waits = 0
        self.patience = 0.0  # seconds for which the agent is waited for
        self.panics = False  # its kernel, while the agent is waited for

    def run(self, *comes_up: bool, **other: object) -> None:
        """Boot it; `comes_up`: whether the agent answers, the first time and the second."""
        answers: Iterator[bool] = iter(comes_up)

        def await_agent() -> None:
            self.waits += 1
            answer = next(answers)
            if self.panics:
                with self.machine.ask() as asked:
                    asked.execute("inject-nmi")
            self.machine.await_agent(lambda: answer, self.patience)

        bench = boot.Bench(engine=FakeEngine(), processes=self.processes, reporter=self.reporter)
        boot.run(self.machine, replace(self.spec, **other), bench, await_agent)  # type: ignore[arg-type]

    @property
    def next_one(self) -> str:
        """What the next machine is run by."""
        program = qemu.find(self.processes)
        return choose(program, Path(self.spec.kernel), self.cache, self.processes).name


@pytest.fixture
def bench(
    tell: Tell,
    machine: Machine,
    spec: MachineSpec,
    processes: HostProcesses,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    device, kernel, cache = tmp_path / "kvm", tmp_path / "vmlinux", tmp_path / "cache"
    device.touch()
    kernel.write_bytes(b"kernel")
    monkeypatch.setattr(accel, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(accel, "_KVM", device)
    monkeypatch.setattr(accel, "_LIMIT", 30.0)
    monkeypatch.setattr(boot.paths, "machine_images", lambda: str(cache))
    tell(say="Linux version")
    return Bench(machine, replace(spec, kernel=str(kernel)), cache, processes)


def test_one_that_comes_up_by_emulation_alone_has_the_next_ones_begin_with_it(bench: Bench) -> None:
    assert bench.next_one == "kvm"
    bench.run(False, True)
    assert bench.waits == 2
    assert bench.machine.running()
    assert "a machine that was accelerated did not come up" in " ".join(bench.reporter.notes)
    assert bench.next_one == "tcg"


def test_one_that_comes_up_by_nothing_says_nothing_about_the_acceleration(bench: Bench) -> None:
    with pytest.raises(MachineError, match="its agent does not answer"):
        bench.run(False, False)
    assert bench.waits == 2
    assert not bench.machine.running()
    assert bench.next_one == "kvm"


@pytest.mark.parametrize("wrong", [{"memory": 1024**5}, {"cpus": 999}, {"command_line": "x" * 2048}])
def test_one_that_is_refused_is_tried_by_nothing(bench: Bench, wrong: dict[str, object]) -> None:
    with pytest.raises(MachineError):
        bench.run(**wrong)
    assert bench.waits == 0
    assert "did not come up" not in " ".join(bench.reporter.notes)
    assert bench.next_one == "kvm"


@pytest.mark.parametrize("second", [True, False])
def test_an_emulated_one_that_is_silent_is_started_once_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, second: bool
) -> None:
    monkeypatch.setattr(accel, "_KVM", bench.cache / "no-such-device")
    with contextlib.nullcontext() if second else pytest.raises(MachineError, match="its agent does not answer"):
        bench.run(False, second)
    assert bench.waits == 2
    assert bench.machine.running() is second
    assert [note for note in bench.reporter.notes if "it is started once more" in note]


def test_an_emulated_one_that_says_what_is_wrong_is_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "_KVM", bench.cache / "no-such-device")
    bench.panics = True
    bench.patience = 20  # what is said comes by way of a file
    with pytest.raises(MachineError, match="Kernel panic"):
        bench.run(False, True)
    assert bench.waits == 1
    assert "once more" not in " ".join(bench.reporter.notes)
    assert not bench.machine.running()


def test_one_whose_qemu_does_not_answer_is_not_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "_KVM", bench.cache / "no-such-device")
    monkeypatch.setattr(module, "_START", 0.0)
    with pytest.raises(MachineError, match="QEMU does not answer"):
        bench.run(True)
    assert "once more" not in " ".join(bench.reporter.notes)
    assert bench.waits == 0


def test_one_that_ends_before_its_agent_can_be_reached_says_why(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Path(bench.spec.directory)
    directory.mkdir(mode=0o700)

    def booted(machine: Machine, _stored: object, _directory: Path, _bench: object, wait: Callable[[], None]) -> None:
        machine.start(bench.spec)
        pid = (directory / paths.MACHINE_RECORD).read_text(encoding="utf-8").split("\n")[2]
        os.kill(int(pid), signal.SIGKILL)
        until(lambda: not machine.running())
        wait()

    monkeypatch.setattr(boot, "booted", booted)
    monkeypatch.setattr(instance, "deliver", lambda agent, engine: None)
    made_from = stored.from_spec(
        InstanceSpec(
            name="shop",
            image="sha256:1",
            hostname="shop",
            user=GuestUser(name="root", uid=0, gid=0, home="/root"),
            workdir="/",
            agent=AgentSpec(build="0123456789abcdef", protocol=1, program="/none", directory=str(directory)),
            labels=((LABEL_WORKSPACE, "0123abcd"),),
            machine=MachineOptions(ready=False),
        ),
        MachineOptions(ready=False),
        uuid=bench.spec.uuid,
        env={},
    )
    host = boot.Bench(engine=FakeEngine(), processes=bench.processes, reporter=bench.reporter)
    with pytest.raises(MachineError, match=r"ended by itself .*before its agent answered"):
        instance.VmInstance(directory, made_from, host).start()
