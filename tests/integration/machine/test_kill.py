"""kill -9 of devbox, QEMU and the Supervisor while a machine comes and goes: the next command repairs (fault 1)."""

import fcntl
import os
import re
import shutil
import signal
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.integration.machine.conftest import SMALLEST, beside, inside, machines, processes_of, state
from tests.support import supervisors
from tests.support.command import Devbox, left_over
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.vm]
KINDS = ("qemu-system", "line_process", "ring.py", "/supervisor/", "passt")
ALL = KINDS if shutil.which("passt") and os.getuid() == 0 else KINDS[:-1]  # passt hides from its own user
PATIENCE = 20.0  # seconds for what nobody owns any more to end
UNFINISHED = re.compile(r"^\.|^making|\.new$|\.raw$|\.[0-9]+$")
FILES = 200  # of the project, so that it takes a moment to sync them


@dataclass(frozen=True)
class Phase:
    """A command that is killed, what is done before it, and the one that repairs, by turns."""

    words: tuple[str, ...]
    before: Callable[[Devbox], object]
    then: tuple[str, ...]
    between: tuple[str, str] | None = None  # the points that another phase does not have


def _without_image(devbox: Devbox) -> None:
    devbox("destroy", "-f")
    shutil.rmtree(devbox.home / ".cache/devbox/vm", ignore_errors=True)


def _halted(devbox: Devbox) -> None:
    devbox("up")
    devbox("halt")


PHASES = {
    "the image": Phase(("up",), _without_image, ("destroy", "up"), between=("machine made", "machine image kept")),
    "up": Phase(("up",), lambda devbox: devbox("destroy", "-f"), ("destroy", "up")),
    "up after halt": Phase(("up",), _halted, ("up", "destroy")),
    "halt": Phase(("halt",), lambda devbox: devbox("up"), ("halt", "up")),
    "destroy": Phase(("destroy", "-f"), lambda devbox: devbox("up"), ("destroy", "up")),
}


@pytest.fixture(scope="module")
def devbox(smallest: Devbox) -> Iterator[Devbox]:
    """A project of its own, whose machine has an image at hand, and which finds all of its processes again."""
    scratch = smallest.home / "scratch"
    scratch.mkdir()
    with beside(smallest, "killed") as found:
        (found.directory / "devbox.toml").write_text(SMALLEST, encoding="utf-8")
        _change_files(found)
        yield replace(found, variables={"TMPDIR": str(scratch)})


def _change_files(devbox: Devbox) -> None:
    """Have something to sync, so that it takes a moment."""
    for number in range(FILES):
        (devbox.directory / f"{number}.txt").write_text(f"{number} {os.urandom(8).hex()}\n", encoding="utf-8")


def _processes(devbox: Devbox) -> Counter[str]:
    """Return what runs of this user, each by its kind or by its command: by what no process hides from its own user."""
    found: Counter[str] = Counter()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is somebody else's
            continue
        if command and f"HOME={devbox.home}".encode() in variables:
            found[next((kind for kind in KINDS if kind in command), command)] += 1
    return found


def _run(devbox: Devbox, *kinds: str) -> None:
    """Wait until there is one of each of these, and nothing else."""
    end = time.monotonic() + PATIENCE
    while (found := _processes(devbox)) != Counter(kinds):
        assert time.monotonic() < end, f"{found}, not {kinds}"
        time.sleep(0.05)


def _unfinished(devbox: Devbox) -> list[str]:
    """Return the files that a command which was not killed has not left."""
    places = (state(devbox), devbox.home / ".cache/devbox/vm", devbox.home / "scratch")
    found = [path for place in places for path in place.rglob("*") if UNFINISHED.search(path.name)]
    kept = [path for path in Path("/dev/shm").glob(f"devbox-{devbox.account.uid}-*") if _is_nobodys(path)]
    return [str(path) for path in (*found, *kept, *(devbox.home / "scratch").iterdir()) if path.name != "console.1"]


def _is_nobodys(path: Path) -> bool:
    """Whether no other test's devbox uses it now."""
    try:
        directory = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(directory)


def _sockets(devbox: Devbox) -> list[str]:
    return [str(path) for path in state(devbox).rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]


def _is_up(devbox: Devbox) -> None:
    (devbox.directory / "in.txt").write_text(word := os.urandom(8).hex(), encoding="utf-8")
    theirs = (devbox.directory / "7.txt").read_text(encoding="utf-8")
    assert inside(devbox, "cat 7.txt in.txt; mv in.txt out.txt") == theirs + word
    assert (devbox.directory / "out.txt").read_text(encoding="utf-8") == word
    assert devbox.json("up")["changed"] is False
    _run(devbox, *ALL)
    assert not left_over(devbox.hash)
    assert len(list(machines(devbox))) == 1
    assert not _unfinished(devbox)


def _is_halted(devbox: Devbox) -> None:
    assert devbox.json("status")["state"] == "stopped"
    _run(devbox)
    assert not _sockets(devbox)
    assert not _unfinished(devbox)


def _is_gone(devbox: Devbox) -> None:
    _run(devbox)
    assert not left_over(devbox.hash)
    assert not list(machines(devbox))
    left = {path.name for path in (state(devbox) / "s" / devbox.hash).iterdir()}
    assert left <= {"agent", "lock", "logs", "supervisor.lock", "supervisor.log"}
    assert not _sockets(devbox)
    assert not _unfinished(devbox)


REPAIRED = {"up": _is_up, "halt": _is_halted, "destroy": _is_gone}


def _killed(devbox: Devbox, phase: Phase, point: str) -> int:
    phase.before(devbox)
    return replace(devbox, variables={**devbox.variables, "DEVBOX_FAULT": point})(*phase.words, status=None).returncode


def _repaired(devbox: Devbox, command: str) -> None:
    devbox(command, *(("-f",) if command == "destroy" else ()))
    REPAIRED[command](devbox)


def _points(devbox: Devbox, phase: Phase) -> list[str]:
    """Return the side effects that the command has, as what kills it there: the first and the last of each name."""
    log = devbox.home / "faults"
    for _ in range(2):  # the first one that is ever run in a project does more than the next
        log.unlink(missing_ok=True)
        assert _killed(devbox, phase, f"count:{log}") == 0
    names = [line.partition(" ")[2] for line in log.read_text(encoding="utf-8").splitlines()]
    first, last = map(names.index, phase.between) if phase.between else (0, len(names))
    before, there = Counter(names[:first]), Counter(names[first : last + 1])
    return [f"kill:{before[name] + number}:{name}" for name, many in there.items() for number in sorted({1, many})]


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PHASES)
def test_devbox_that_is_killed_anywhere_is_repaired_by_the_next_command(devbox: Devbox, name: str) -> None:
    phase = PHASES[name]
    points = _points(devbox, phase)
    assert len(points) >= 4, "the command passes fault points"
    kills, problems = 0, []
    for number, point in enumerate(points):
        kills += _killed(devbox, phase, point) == -signal.SIGKILL
        then = phase.then[number % len(phase.then)]
        try:
            _repaired(devbox, then)
        except AssertionError as error:
            problems.append(f"{point}, then {then}: {error}")
    assert not problems, "\n".join(problems)
    assert kills > len(points) / 2


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "point", "then"),
    [
        ("up", "kill:2:keep disk", "destroy"),  # that of its volumes
        ("up", "kill:1:machine started", "up"),
        ("halt", "kill:1:machine ended", "halt"),
    ],
)
def test_devbox_that_is_killed_is_repaired_by_the_next_command(
    devbox: Devbox, name: str, point: str, then: str
) -> None:
    assert _killed(devbox, PHASES[name], point) == -signal.SIGKILL
    _repaired(devbox, then)


@pytest.mark.timeout(600)
def test_qemu_and_then_the_supervisor_are_killed_while_it_comes_up(devbox: Devbox) -> None:
    _halted(devbox)
    _change_files(devbox)
    with devbox.start("up") as going:
        until(lambda: processes_of(devbox, "qemu-system"))
        for process in processes_of(devbox, "qemu-system"):
            os.kill(process, signal.SIGKILL)
        _, said = going.communicate()
    assert going.returncode == 3
    assert said.count("error[") == 1, said
    assert "Traceback" not in said
    _run(devbox)
    with devbox.start("up") as going:
        until(lambda: supervisors.processes(devbox.hash))
        for process in supervisors.processes(devbox.hash):
            assert supervisors.killed(process)
        _, said = going.communicate()
    assert "Traceback" not in said
    _repaired(devbox, "up")
