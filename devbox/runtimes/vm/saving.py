"""What runs in a machine, kept while it is stopped: saved, taken up again, or in words why it has to boot."""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.errors import AgentError, CommandFailedError, DevboxError, EngineError, MachineError
from devbox.process import Processes
from devbox.reporter import Reporter
from devbox.vm import snapshot, under
from devbox.vm.machine import Machine
from devbox.vm.qemu_args import MachineSpec

ASLEEP: Final = "asleep"  # a file: it was saved, and has not been told the time since


def note(directory: Path, spec: MachineSpec, processes: Processes) -> None:
    """Note that the machine of `directory` is started from `spec`, so that it can be saved; if not, it runs as well.

    What it is saved with has all of its memory, so that it goes on without the file that it may have it from now.
    """
    file = directory / paths.MACHINE_STARTED
    file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        under.write(file, under.started(replace(spec, memory_file=None, memory_kept=False), processes))


def save(machine: Machine, directory: Path) -> None:
    """Stop what runs in `machine` and keep it; `MachineError` if that cannot be, and then it goes on."""
    known = under.require(under.read(directory / paths.MACHINE_STARTED))

    def noted(draft: Path, version: str) -> None:
        under.write(directory / paths.MACHINE_SAVED, under.saved(known, draft, version))

    try:
        record.write_text(str(directory / ASLEEP), "")
        snapshot.save(machine, machine.state, note=noted)
    except OSError as error:
        why = f"{machine.state} cannot be written: {(error.strerror or str(error)).lower()}"
        raise MachineError(why, hint="make room on that disk; the machine goes on: devbox up") from error


def resumed(
    machine: Machine, directory: Path, reporter: Reporter, processes: Processes, up: Callable[[], None]
) -> bool:
    """Have `machine` go on where it was saved, until `up` is content; False if it is to be booted, and does not run.

    That one was saved and cannot go on is said, with why; what was saved of it is gone then. `MachineError` or
    `RuntimeUnavailableError` for a reason that passes, such as a lack of memory; then it is kept, and nothing runs.
    """
    if not machine.state.exists():
        return False
    try:
        _resume(machine, directory, processes)
        up()
    except snapshot.PassingError as error:
        raise MachineError(
            f"{directory.name} cannot go on now; what was saved of it is kept: {error.message}",
            detail=error.detail,
            hint=f"devbox resume, when that has passed; or boot without it: rm {shlex.quote(str(machine.state))}",
        ) from error
    except (MachineError, AgentError, EngineError, CommandFailedError) as error:
        machine.kill()
        reporter.warn(f"{directory.name} boots, since what was saved of it cannot go on: {_words(error)}")
        return False
    return True


def _resume(machine: Machine, directory: Path, processes: Processes) -> None:
    known = under.read(directory / paths.MACHINE_SAVED)
    if known is None:
        raise MachineError("nothing says what it was saved under")
    if why := under.misfit(known, machine.state, processes):
        raise MachineError(why)
    snapshot.resume(machine, known.spec, machine.state, version=known.version)


def _words(error: DevboxError) -> str:
    return f"{error.message}: {error.detail}" if error.detail else error.message
