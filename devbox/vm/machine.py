"""One machine: QEMU started, found again, watched and ended. All that is known of it lies in its directory."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import MachineError
from devbox.faults import fault
from devbox.interrupts import uninterrupted
from devbox.process import Processes
from devbox.record import write_text
from devbox.vm import host_memory, qemu, qemu_args, standstill
from devbox.vm.account import account_of
from devbox.vm.advice import CONSOLE, advice
from devbox.vm.console import Console
from devbox.vm.coreless import without_core
from devbox.vm.hand_over import handed_over
from devbox.vm.keyboard import keyboard
from devbox.vm.layers import layered
from devbox.vm.mark import Mark, Marks, boot_id
from devbox.vm.network import wired
from devbox.vm.qemu_args import MachineSpec, argv
from devbox.vm.qmp import PATIENCE, Qmp, listener
from devbox.vm.share import LiveShare

_START: Final = 10.0  # seconds until QEMU has read its files and runs
_QUIT: Final = 5.0  # seconds in which it ends when it is told to, or killed
_PAUSE: Final = 0.005
_AGAIN: Final = 0.1  # seconds between two looks for a process that nobody has written down
_LOOKS: Final = 2.0  # seconds after which it is looked whether it stands still
_KILLED: Final = 128 + signal.SIGKILL
_ROOT_DISK: Final = "disk0"  # as `qemu_args` calls the first drive of a machine that boots our kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """Which machine it is, and which process. None: it was about to be started."""

    uuid: str
    name: str
    mark: Mark | None


class SilentError(MachineError):
    """It runs, says that nothing is wrong, and its agent did not answer in time."""


class Machine:
    """The machine whose files lie in `directory`, which is made 0700 by `start`.

    A pid alone is never trusted: it is this machine's QEMU if it was started when the record says, in this boot of the
    host, or if it listens at the machine's control socket and has the machine's UUID, or was started with that.
    """

    def __init__(self, directory: Path, processes: Processes) -> None:
        self._directory = directory
        self._processes = processes
        self._marks = Marks(processes)
        self._console = Console(directory)
        self._share = LiveShare(directory, processes)
        self._file = directory / paths.MACHINE_RECORD

    def start(self, spec: MachineSpec) -> None:
        """Start QEMU in a session of its own and return when the machine runs; a no-op if it does.

        `MachineError`, with the last lines of its console, if it ends or panics before; then nothing runs.
        `RuntimeUnavailableError` if there is no QEMU.
        """
        program = qemu.find(self._processes)
        refuse(spec)
        paths.private_directory(str(self._directory))
        self._directory.chmod(0o700)
        if self.running() and self._comes_up():
            return
        if self._found():
            self.kill()  # nobody answers for its files
        self._forget()
        self._console.clear()
        if not spec.incoming:
            self.state.unlink(missing_ok=True)  # the disk goes another way from here
        self._write(_Record(uuid=spec.uuid, name=spec.name, mark=None))
        self._launch(spec, program)

    def running(self) -> bool:
        """Tell whether it runs, this very machine and no other process with its number."""
        return self._found() is not None and not self._share.is_lost()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask what runs inside to power off, and end QEMU after `timeout` seconds; a no-op if it does not run."""
        mark = self._found()
        if mark:
            fault("power machine off")
            self._tell("system_powerdown")
            if not self._marks.ended(mark, timeout):
                self._tell("quit")
                self._marks.ended(mark, _QUIT)
        self.kill()

    def kill(self) -> None:
        """End QEMU at once, as by pulling the plug; a no-op if it does not run."""
        mark = self._found()
        fault("end machine")
        if mark:
            self._marks.kill(mark)
            if not self._marks.ended(mark, _QUIT):
                raise MachineError(f"QEMU (process {mark.pid}) cannot be ended", hint="look for a disk that hangs")
        record = self._read()
        if record and record.mark and record.mark.boot == boot_id():
            self._marks.reap(record.mark)
            self._console.settle()
        fault("machine ended")
        self._forget()

    def was_killed(self) -> bool:
        """Tell whether QEMU, if this process started it, was ended by SIGKILL, as a host does that lacks memory."""
        mark = record.mark if (record := self._read()) else None
        return mark is not None and self._marks.ended(mark, _QUIT) and self._marks.reap(mark) == _KILLED

    @property
    def disk(self) -> Path:
        """Where the disk lies that it writes to."""
        return self._directory / paths.MACHINE_DISK

    @property
    def state(self) -> Path:
        """Where lies what ran in it when it was saved, if it was; its disk has not changed since."""
        return self._directory / paths.MACHINE_STATE

    @property
    def line(self) -> Path:
        """The socket by which the agent inside is reached."""
        return self._directory / paths.MACHINE_LINE

    @property
    def wire(self) -> Path:
        """The socket in which its wire to other machines ends, if it has one."""
        return self._directory / paths.MACHINE_WIRE

    def ask(self, patience: float = PATIENCE) -> Qmp:
        """Return a connection to its QEMU, to be closed by the caller: for `patience` seconds for each answer.

        `MachineError` if it does not answer, or if who does is not this machine.
        """
        record = self._read()
        if record is None:
            raise MachineError("QEMU does not run")
        return Qmp(self._control, record.uuid, patience=patience)

    @property
    def _control(self) -> Path:
        return self._directory / paths.MACHINE_CONTROL

    def console(self) -> bytes:
        """Return all that was kept of what it said, as it was said: trust it in nothing."""
        return self._console.said()

    def tail(self, lines: int = 20) -> str:
        """Return the last lines that it said, safe to be shown."""
        return self._console.tail(lines)

    def grow(self, size: int) -> None:
        """Have its root disk be of `size` bytes from now on, while it runs; `MachineError` if that cannot be."""
        with self.ask() as asked:
            asked.execute("block_resize", **{"node-name": _ROOT_DISK, "size": size})

    def said(self, tail: int | None, *, follow: bool) -> Iterator[str]:
        """Yield the last lines that it said, all for None, and with `follow` those that it says until it ends."""
        return self._console.lines(tail, self.running if follow else lambda: False)

    def watch(self) -> int | None:
        """Return a descriptor that can be read as soon as QEMU has ended, to be closed by the caller.

        None if it has, or if this system has no such thing.
        """
        mark = self._found()
        return self._marks.handle(mark) if mark else None

    def await_agent(self, check: Callable[[], bool], timeout: float) -> None:
        """Wait until `check` tells that the agent inside answers.

        `MachineError`, with the last lines of the console, if the machine ends or panics, `SilentError` if it is not
        there in `timeout` seconds; then it has been ended, and its disks are as it left them.
        """
        try:
            self._await(check, within=timeout, what="its agent", late=SilentError)
        except BaseException:
            self.kill()
            raise

    def _launch(self, spec: MachineSpec, program: str) -> None:
        """Start `program` and return when QEMU answers; leave nothing of it if anything goes wrong."""
        mark = None
        try:
            with contextlib.ExitStack() as held:
                wire = held.enter_context(wired(self._processes, sshd=spec.sshd)) if spec.network else None
                account = account_of(spec.uuid, program)
                whole = layered(spec)
                given, handed = held.enter_context(handed_over(whole)) if account else (whole, None)
                share = held.enter_context(self._share.begun(spec.share)) if spec.share else None
                inherit = tuple(one for one in (wire, share) if one is not None)
                keys = {} if spec.kernel else {"stdin": held.enter_context(keyboard(self._directory))}
                held.enter_context(uninterrupted())  # what came into being while a signal did would be nobody's
                pid = self._processes.start_into(
                    self._console.reader(),
                    without_core(argv(given, program, wire=wire, handed=handed, share=share)),
                    cwd=self._directory,
                    inherit=(*inherit, *(handed.all if handed else ())),
                    account=account,
                    **keys,
                )
                fault("machine started")
                mark = self._marks.started(pid)
            self._write(_Record(uuid=spec.uuid, name=spec.name, mark=mark))
            fault("machine noted")
            self._await(self._answers, within=_START, what="QEMU")
            self._share.require()
        except BaseException:
            if mark:
                self._marks.kill(mark)
            self.kill()
            raise

    def _await(
        self, check: Callable[[], bool], *, within: float, what: str, late: type[MachineError] = MachineError
    ) -> None:
        until = time.monotonic() + within
        looking = time.monotonic() + _LOOKS
        while not check():
            if self._found() is None:
                self._console.settle()
                raise self._broken(self._console.failure() or f"{self._ended()} before {what} answered")
            if failure := self._console.failure():
                raise self._broken(failure)
            if time.monotonic() > looking:
                if reason := self._standing():
                    raise self._broken(f"it stands still: {reason}")
                looking = time.monotonic() + _LOOKS
            if time.monotonic() > until:
                why = self._broken(f"{what} does not answer within {within:g} s")
                raise late(why.message, detail=why.detail, hint=why.hint)
            time.sleep(_PAUSE)

    def _ended(self) -> str:
        record = self._read()
        code = self._marks.reap(record.mark) if record and record.mark else None
        return "ended by itself" + (f" (exit code {code})" if code else "")

    def _broken(self, why: str) -> MachineError:
        record = self._read()
        name = record.name if record else self._directory.name
        said = "\n".join(filter(None, (self._console.around(why), self._share.said())))
        return MachineError(
            f"the machine {name} does not come up: {why}",
            detail=said or None,
            hint=advice(f"{why}\n{said}") or CONSOLE,
        )

    def _comes_up(self) -> bool:
        """Wait until QEMU answers, which somebody else has started; tell whether it does."""
        with contextlib.suppress(MachineError):
            self._await(self._answers, within=_START, what="QEMU")
            return True
        return False

    def _answers(self) -> bool:
        """Tell whether QEMU carries out commands, which it does when the machine has been set up."""
        if not self._control.exists():
            return False
        try:
            self.ask().close()
        except MachineError:
            return False
        return True

    def _tell(self, command: str) -> None:
        """Have QEMU carry out `command`, if it answers and is the one."""
        with contextlib.suppress(MachineError), self.ask() as asked:
            asked.execute(command)

    def _standing(self) -> str | None:
        with contextlib.suppress(MachineError), self.ask() as asked:
            return standstill.why(asked, self._directory)
        return None

    def _found(self) -> Mark | None:
        """Return this machine's QEMU, if it runs."""
        record = self._read()
        if record is None:
            return None
        if record.mark and self._marks.lives(record.mark):
            return record.mark
        mark = self._unrecorded(record)
        if mark is None:
            return None
        with contextlib.suppress(MachineError):  # it runs, and is found this way again
            self._write(_Record(uuid=record.uuid, name=record.name, mark=mark))
        return mark

    def _unrecorded(self, record: _Record) -> Mark | None:
        """Return the mark of what was started by one who was ended before it could be written down.

        It may be so new that it does not listen yet; and one that is just becoming another program has no command.
        """
        for pause in (0, _AGAIN):
            time.sleep(pause)
            if mark := self._listening() or self._marks.started_with("-uuid", record.uuid):
                return mark
        return None

    def _listening(self) -> Mark | None:
        """Return the mark of whoever listens at its control socket, if that is this machine."""
        pid = listener(self._control)
        mark = self._marks.of(pid) if pid else None
        return mark if mark and self._answers() else None

    def _read(self) -> _Record | None:
        try:
            lines = self._file.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return None
        match lines:
            case [uuid, name, pid, started, boot, ""] if pid.isdecimal():
                return _Record(uuid=uuid, name=name, mark=Mark(pid=int(pid), started=started, boot=boot))
            case [uuid, name, ""]:
                return _Record(uuid=uuid, name=name, mark=None)
            case _:
                return None

    def _write(self, record: _Record) -> None:
        mark = record.mark
        lines = [record.uuid, record.name, *([str(mark.pid), mark.started, mark.boot] if mark else []), ""]
        try:
            write_text(str(self._file), "\n".join(lines))
        except OSError as error:
            why = f"{self._file} cannot be written: {error.strerror}"
            raise MachineError(why, hint="make room on that disk, and see that you may write there") from error

    def _forget(self) -> None:
        self._share.end()
        for name in (paths.MACHINE_CONTROL, paths.MACHINE_LINE, paths.MACHINE_WIRE, paths.MACHINE_RECORD):
            (self._directory / name).unlink(missing_ok=True)


def refuse(spec: MachineSpec) -> None:
    """Raise the `MachineError` of a machine that `start` would not start, whatever it is run by."""
    qemu_args.refuse(spec)
    host_memory.require(spec.memory, f"the machine {spec.name}")
