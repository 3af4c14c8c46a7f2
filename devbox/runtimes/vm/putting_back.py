"""A snapshot on its way into the machine: made ready beside it, decided by one rename, and carried out to the end.

Until `decided` the machine is as it was. From then on whoever is about to start it finishes what was decided first
(`finish`), whether or not the devbox that decided it was killed: disks, memory and what is attached belong together.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.faults import fault
from devbox.runtimes.vm import boot
from devbox.runtimes.vm.saving import ASLEEP
from devbox.runtimes.vm.shelf import ATTACHED, DATA, INITRD, MEMORY, ROOT, UNDER, shelf_of
from devbox.runtimes.vm.stored import SETTLED, UP
from devbox.vm import under
from devbox.vm.copying import to_disk

_MAKING: Final = "back-making"
_BACK: Final = "back"
_DONE: Final = "gone-back"  # which the shelf sweeps
_PLAN: Final = "plan"
_OF_BEFORE: Final = (paths.MACHINE_SAVED, paths.MACHINE_STARTED, paths.MACHINE_STATE, ASLEEP, SETTLED, UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Into which machine it goes. `image`, `content`: what its root disk stands on; `attached`: a path."""

    directory: str
    image: str
    content: str
    data: str
    attached: str


@contextmanager
def making(path_hash: str) -> Iterator[Path]:
    """Give an empty directory for the files that are to be the machine's; it is gone at the end unless `decided`."""
    root = shelf_of(path_hash).root
    draft = root / _MAKING
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def decided(draft: Path, plan: Plan) -> None:
    """Have it that what lies in `draft` is the machine's, whatever happens; it must not run."""
    record.write_text(str(draft / _PLAN), json.dumps(asdict(plan)) + "\n")
    for one in draft.iterdir():
        to_disk(one)
    to_disk(draft)
    fault("put snapshot back")
    draft.rename(draft.with_name(_BACK))
    to_disk(draft.parent)
    fault("snapshot is to be back")


def finish(path_hash: str, *, image: str) -> None:
    """Carry out what was decided, if anything was; may be begun again at any point. The machine must not run.

    `image`: of the machine that is there now. One of another image has no use for the root disk and the memory.
    """
    back = shelf_of(path_hash).root / _BACK
    if not (back / _PLAN).exists():
        return
    plan = Plan(**json.loads((back / _PLAN).read_text(encoding="utf-8")))
    same = plan.image == image
    if same and (back / ROOT).exists():
        for name in _OF_BEFORE:
            (Path(plan.directory) / name).unlink(missing_ok=True)
        record.write_text(str(Path(plan.directory) / boot.BASE), plan.content)
    fault("put disks back")
    _move(back / DATA, Path(plan.data))
    _move(back / ATTACHED, Path(plan.attached))
    if same:
        _move(back / INITRD, Path(plan.directory) / boot.INITRD)
        _move(back / ROOT, Path(plan.directory) / paths.MACHINE_DISK)
        fault("disks are back")
        _wake_later(back, Path(plan.directory))
    fault("forget the way back")
    done = back.with_name(_DONE)
    shutil.rmtree(done, ignore_errors=True)
    back.rename(done)
    shutil.rmtree(done, ignore_errors=True)


def _wake_later(back: Path, directory: Path) -> None:
    """Let what was in memory go on when the machine is started, if it was kept: upon the disks as they are now."""
    _move(back / MEMORY, directory / paths.MACHINE_STATE)
    known = under.read(back / UNDER)
    if known is None:
        return
    state = directory / paths.MACHINE_STATE
    record.write_text(str(directory / ASLEEP), "")
    under.write(directory / paths.MACHINE_STARTED, known)
    under.write(directory / paths.MACHINE_SAVED, under.saved(known, state, known.version))


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.replace(target)
        to_disk(target.parent)
