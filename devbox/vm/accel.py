"""How fast a machine can be: by the host's own acceleration where a kernel was seen to start on it, else emulated.

That the device opens proves nothing, nor does a tiny guest that runs: there are hosts where both are so and no Linux
boots. So the very kernel is started on the very kind of machine, and its first line is waited for.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.interrupts import uninterrupted
from devbox.process import Account, Processes
from devbox.vm.account import account_of, is_accelerated
from devbox.vm.console import Console
from devbox.vm.hand_over import kernel_over
from devbox.vm.mark import Marks, boot_id
from devbox.vm.qemu_args import probe_argv
from devbox.vm.scratch import scratch

_KVM: Final = Path("/dev/kvm")
_FIRST_LINE: Final = "Linux version"
_LIMIT: Final = 1.5  # seconds until it must be there; emulation has it in a third of that
_TIMES: Final = 2
_TRIALS: Final = "acceleration.lock"  # in the cache
_END: Final = 5.0
_PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """What QEMU is to run a machine by. `why`: what the user is to be told of it, once; empty when that was done."""

    name: str  # kvm, hvf or tcg
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What was found in this boot; its file is named after QEMU and kernel. `tried`: the kernel was started for it."""

    boot: str
    name: str
    why: str
    tried: bool


def choose(program: str, kernel: Path, cache: Path, processes: Processes) -> Accelerator:
    """Return what `program` can run `kernel` by on this host.

    It takes up to four seconds the first time that this kernel is met since the host was booted, and the verdict is
    kept in the directory `cache`.
    """
    known = _known(cache, program, kernel)
    wanted = "hvf" if sys.platform == "darwin" else "kvm"
    why_not = _cannot_be_opened(wanted, program)
    tried = why_not is None
    if tried:
        if known and known.tried:
            return Accelerator(name=known.name)
        with _alone(cache, processes) as place:
            why_not = _failing_words(program, wanted, kernel, place, processes)
    found = Accelerator(name="tcg", why=_emulated(why_not)) if why_not else Accelerator(name=wanted)
    if known and (known.name, known.why) == (found.name, found.why):
        return Accelerator(name=found.name)
    _remember(cache, program, kernel, found, tried=tried)
    return found


def instead() -> Accelerator:
    """Return emulation, for a machine that was accelerated and did not come up."""
    return Accelerator(name="tcg", why=_emulated("a machine that was accelerated did not come up"))


def unproved() -> Accelerator:
    """Return emulation, where there is no kernel to try anything else with."""
    return Accelerator(name="tcg", why=_emulated("devbox has no kernel here by which it could try anything else"))


def distrust(program: str, kernel: Path, cache: Path) -> None:
    """Take emulation from now on: a machine that was accelerated did not come up, and by `instead` it did."""
    _remember(cache, program, kernel, instead(), tried=True)


def _emulated(why: str) -> str:
    return f"the machine is emulated, and so several times slower: {why}"


def _cannot_be_opened(wanted: str, program: str) -> str | None:
    if wanted != "kvm":
        return None
    if not _KVM.exists():
        return f"there is no {_KVM}"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return f"{_KVM} may not be opened (you are not in the group kvm)"
    if account_of(_FIRST_LINE, program) and not is_accelerated():
        return f"{_KVM} is for root alone, and QEMU is not root (chgrp kvm {_KVM}; chmod g+rw {_KVM})"
    return None


def sweep(cache: Path, processes: Processes) -> None:
    """End the QEMU of a devbox that was killed while it tried a kernel, unless one is being tried now."""
    with contextlib.suppress(OSError), (cache / _TRIALS).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _end_left(cache, processes)


@contextlib.contextmanager
def _alone(cache: Path, processes: Processes) -> Iterator[Path]:
    """Give where a kernel is tried, with nobody else of this user doing so; elsewhere if `cache` cannot be used."""
    try:
        paths.private_directory(str(cache))
        held = (cache / _TRIALS).open("w")
    except OSError:
        yield Path(tempfile.gettempdir())
        return
    with held as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _end_left(cache, processes)
        yield cache


def _end_left(cache: Path, processes: Processes) -> None:
    """End a trial that nobody waits for; the lock is held."""
    marks = Marks(processes)
    if mark := marks.started_with(*_name(cache)):
        marks.kill(mark)
        marks.ended(mark, _END)


def _name(cache: Path) -> tuple[str, str]:
    """Return the words by which a trial is known to be this user's."""
    return "-name", f"devbox-trial-{hashlib.sha256(bytes(cache.absolute())).hexdigest()[:16]}"


def _failing_words(program: str, wanted: str, kernel: Path, parent: Path, processes: Processes) -> str | None:
    """Start `kernel` and return None when its first line is there, else why there is none.

    One that only runs out of time is started again: the first time, all of it may have come from a slow disk.
    """
    what = ""
    for _ in range(_TIMES):
        with scratch(parent) as place, _trial(program, wanted, kernel) as trial:
            console = Console(place)
            named = replace(trial, command=(*trial.command, *_name(parent)))
            late = _runs_out_of_time(named, console, place, processes)
            if _FIRST_LINE in console.text():
                return None
            said = console.tail(1)
        what = f" within {_LIMIT:g} s" if late else f": {said}" if said else ""
        if not late:
            break
    return f"{wanted.upper()} can be opened, but no kernel starts on it{what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """How a kernel is tried: by whom a machine would be run."""

    command: tuple[str, ...]
    account: Account | None = None
    inherit: tuple[int, ...] = ()


@contextlib.contextmanager
def _trial(program: str, wanted: str, kernel: Path) -> Iterator[_Trial]:
    account = account_of(_FIRST_LINE, program)
    if account is None:
        yield _Trial(command=probe_argv(program, accelerator=wanted, kernel=str(kernel)))
        return
    with kernel_over(str(kernel)) as (name, descriptor):
        command = probe_argv(program, accelerator=wanted, kernel=name)
        yield _Trial(command=command, account=account, inherit=(descriptor,))


def _runs_out_of_time(trial: _Trial, console: Console, place: Path, processes: Processes) -> bool:
    """Run `trial` until `console` has the first line, and tell whether it neither said that nor ended in time."""
    marks, mark = Marks(processes), None
    try:
        with uninterrupted():  # what came into being while a signal did would be nobody's
            started = processes.start_into(
                console.reader(), trial.command, cwd=place, inherit=trial.inherit, account=trial.account
            )
            mark = marks.started(started)
        until = time.monotonic() + _LIMIT
        while alive := marks.lives(mark):
            if _FIRST_LINE in console.text() or time.monotonic() > until:
                break
            time.sleep(_PAUSE)
        return alive
    finally:
        if mark:
            marks.kill(mark)
            marks.ended(mark, _END)
            marks.reap(mark)
            console.settle()


def _file(cache: Path, program: str, kernel: Path) -> Path:
    # Which file it is, in place of its version: to ask for that takes a tenth of a second of each start.
    key = hashlib.sha256(f"{_identity(Path(program))}\n{_identity(kernel)}".encode()).hexdigest()[:16]
    return cache / f"acceleration-{key}.json"


def _identity(path: Path) -> str:
    facts = path.stat()
    return f"{path}:{facts.st_size}:{facts.st_mtime_ns}"


def _known(cache: Path, program: str, kernel: Path) -> _Verdict | None:
    try:
        said = json.loads(_file(cache, program, kernel).read_bytes())
        found = _Verdict(**said)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.boot == boot_id() else None


def _remember(cache: Path, program: str, kernel: Path, found: Accelerator, *, tried: bool) -> None:
    verdict = _Verdict(boot=boot_id(), name=found.name, why=found.why, tried=tried)
    with contextlib.suppress(OSError):  # it is found again next time
        paths.private_directory(str(cache))
        record.write_text(str(_file(cache, program, kernel)), json.dumps(asdict(verdict)))
