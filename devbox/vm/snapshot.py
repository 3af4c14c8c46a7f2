"""What runs in a machine, put into a file, and taken up again where it was.

Either the file has all of its memory, and is used up when it is resumed: its disks go on from there, and would not fit
a second time. Or its memory is in a file of its own (`MachineSpec.memory_file`): then the state is small, both are left
as they are, and any number of machines start from them, each on a disk of its own and with what it changes to itself.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from devbox.errors import MachineError
from devbox.faults import fault
from devbox.vm import standstill
from devbox.vm.copying import opened, to_disk
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec
from devbox.vm.qmp import Qmp

_ANSWER: Final = 60.0  # seconds for an answer of QEMU's, whose disks may be slow
_PATIENCE: Final = 300.0  # seconds in which gigabytes are written or read
_PAUSE: Final = 0.003
_UNDER_WAY: Final = ("setup", "active", "device", "pre-switchover", "cancelling")  # as QEMU calls it
_OWN: Final = ("name", "uuid", "directory", "drives", "initrd", "memory_file", "memory_kept", "incoming", "share")


def digest(spec: MachineSpec, version: str) -> str:
    """Return what a state is good for (16 hex): machines with what `spec` has in common, by this version of QEMU."""
    said = {name: value for name, value in asdict(spec).items() if name not in _OWN}
    said["private"] = bool(spec.private)  # it is told another address
    disks = [(drive.format, drive.read_only, drive.serial) for drive in spec.drives]
    return hashlib.sha256(repr((version, sorted(said.items()), disks)).encode()).hexdigest()[:16]


class PassingError(MachineError):
    """QEMU does not start, or the host has killed it: what was saved is as it was, and may well go on later."""


def save(
    machine: Machine,
    state: Path,
    *,
    memory_apart: bool = False,
    note: Callable[[Path, str], None] | None = None,
) -> None:
    """Stop what runs in `machine`, write it to `state`, and end QEMU. What it was stopped with is on its disks.

    `memory_apart`: it has its memory in a file of its own. `note`: is given the draft of `state` and QEMU's version
    when all is written and before it counts. `MachineError`, or `OSError` of `state`'s directory, if it cannot be
    saved; then it goes on, and there is no new `state`.
    """
    made = draft = draft_of(state)
    try:
        with machine.ask(_ANSWER) as asked, _stopped(asked):
            fault("save a machine")
            _write(asked, draft, memory_apart=memory_apart)
            to_disk(draft)
            fault("machine written")
            if note:
                note(draft, asked.version())
            made = draft.replace(state)
            to_disk(state.parent)
            fault("machine saved")
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    machine.kill()


def capture(machine: Machine, memory: Path, *, meanwhile: Callable[[str], None]) -> None:
    """Write what runs in `machine` to the new file `memory`, and let it go on; whoever is connected stays connected.

    `meanwhile`: is given QEMU's version while all stands still, with everything that was written on its disks.
    `MachineError`, or `OSError` of `memory`'s directory, if it cannot be written; then it goes on as well.
    """
    with machine.ask(_ANSWER) as asked:
        with _stopped(asked):
            fault("capture a machine")
            _write(asked, memory, memory_apart=False)
            fault("machine captured")
            meanwhile(asked.version())
            fault("disks captured")
        asked.execute("cont")
        fault("captured machine goes on")


def draft_of(state: Path) -> Path:
    """Return where `state` is written before it counts."""
    return state.with_name(f"{state.name}.new")


def resume(
    machine: Machine,
    spec: MachineSpec,
    state: Path,
    *,
    version: str | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Start `machine` where it was when `state` was saved; a state that has its memory is gone then.

    `version`: of the QEMU that it must be. `meanwhile`: called once QEMU is there, and nothing goes on yet.
    `MachineError` if that fails; then nothing runs, and `machine` can be booted as ever, but if it is a `PassingError`
    it may be tried again. One that runs is left alone.
    """
    if machine.running():
        raise MachineError(f"the machine {spec.name} runs, and cannot go on from where it was saved")
    try:
        machine.start(replace(spec, incoming=True))
    except MachineError as error:
        raise PassingError(error.message, detail=error.detail, hint=error.hint) from error
    try:
        with machine.ask(_ANSWER) as asked:
            _require(version, asked.version())
            fault("resume a machine")
            meanwhile()
            _read_whole(asked, machine, state, memory_apart=spec.memory_file is not None)
            fault("machine read")
            if spec.memory_file is None:
                state.unlink()
                to_disk(state.parent)
            fault("saved machine used up")
            asked.execute("cont")
            fault("machine resumed")
    except BaseException:
        machine.kill()
        raise


def go_on(machine: Machine) -> bool:
    """Have `machine` go on, if a `save` or `resume` that was killed has left it standing; its state is gone then.

    Return False if it was not. One that has not all of its memory yet is ended, and its state is as it was.
    `MachineError` if QEMU does not answer, `StandstillError` if it stands still since this host cannot write its disk.
    """
    with machine.ask(_ANSWER) as asked:
        status = _status(asked, "query-status")
        if status == "running" or standstill.go_on(asked, machine.disk.parent):
            return False
        if status != "inmigrate":
            _give_up_migration(asked)
            machine.state.unlink(missing_ok=True)
            draft_of(machine.state).unlink(missing_ok=True)
            to_disk(machine.state.parent)
            asked.execute("cont")
            return True
    machine.kill()
    return False


def _require(version: str | None, now: str) -> None:
    if version not in (None, now):
        raise MachineError(f"QEMU is another one now, {now} and not {version}")


@contextlib.contextmanager
def _stopped(asked: Qmp) -> Iterator[None]:
    """Have what runs in the machine stand still from here on; if anything goes wrong within, it goes on."""
    asked.execute("stop")
    try:
        yield
    except BaseException:
        with contextlib.suppress(MachineError):
            _give_up_migration(asked)
            asked.execute("cont")
        raise


def _write(asked: Qmp, draft: Path, *, memory_apart: bool) -> None:
    _prepare(asked, memory_apart=memory_apart)
    with opened(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
        asked.give(descriptor, "state")
        asked.execute("migrate", uri="fd:state")
        _finish(asked)


def _read(asked: Qmp, state: Path, *, memory_apart: bool) -> None:
    _prepare(asked, memory_apart=memory_apart)
    with opened(state, os.O_RDONLY) as descriptor:
        asked.give(descriptor, "state")
        asked.execute("migrate-incoming", uri="fd:state")
        _finish(asked)


def _read_whole(asked: Qmp, machine: Machine, state: Path, *, memory_apart: bool) -> None:
    try:
        _read(asked, state, memory_apart=memory_apart)
    except MachineError as error:
        if machine.was_killed():
            raise PassingError("QEMU was killed while it read what was saved; the host may lack memory") from error
        raise


def _prepare(asked: Qmp, *, memory_apart: bool) -> None:
    capability = {"capability": "x-ignore-shared", "state": memory_apart}
    asked.execute("migrate-set-capabilities", capabilities=[capability])
    # What is slow is the disk of the host, and nobody else waits for it.
    asked.execute("migrate-set-parameters", **{"max-bandwidth": 1 << 50})


def _give_up_migration(asked: Qmp) -> None:
    """Have nothing written any more, if something is: it would stop the machine again at its end."""
    asked.execute("migrate_cancel")
    until = time.monotonic() + _ANSWER
    while _status(asked, "query-migrate") in _UNDER_WAY and time.monotonic() < until:
        time.sleep(_PAUSE)


def _status(asked: Qmp, question: str) -> str | None:
    answer = asked.execute(question)
    return answer.get("status") if isinstance(answer, dict) else None


def _finish(asked: Qmp) -> None:
    """Wait until the state has gone over."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        answer = asked.execute("query-migrate")
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "completed":
            return
        if status in ("failed", "cancelled"):
            words = answer.get("error-desc") if isinstance(answer, dict) else None
            raise MachineError("the state of the machine could not be carried over", detail=words)
        time.sleep(_PAUSE)
    raise MachineError(f"the state of the machine is not carried over within {_PATIENCE:g} s")
