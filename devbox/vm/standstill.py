"""A machine that stands still, since this host has no room for what it writes, or cannot write it.

QEMU stops it there: nothing is lost, what runs inside hears of no error, and it goes on as soon as it can write. Until
then nobody inside answers, so whoever waits for an answer has to be told.
"""

import re
import time
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import StandstillError
from devbox.values import printable
from devbox.vm import under
from devbox.vm.qmp import Qmp

_STOPPED: Final = "io-error"  # as QEMU calls it
_NO_ROOM: Final = "nospace"
_NODE: Final = re.compile(r"disk([0-9]+)")  # see `qemu_args`
_TRIED: Final = 0.5  # seconds in which a write that fails again has failed
_PAUSE: Final = 0.05


def why(asked: Qmp, directory: Path) -> str | None:
    """Return in words why the machine of `directory` stands still; None if it does not for this.

    `MachineError` if it does not answer.
    """
    if _status(asked) != _STOPPED:
        return None
    answer = asked.execute("query-block")
    for device in answer if isinstance(answer, list) else []:
        state, held = device.get("io-status", "ok"), device.get("inserted") or {}
        if state != "ok":
            what = "cannot grow, since there is no room left" if state == _NO_ROOM else "cannot be read or written here"
            return f"{_file(str(held.get('node-name', '')), directory)} {what}"
    return "one of its disks cannot be read or written here"


def go_on(asked: Qmp, directory: Path) -> bool:
    """Have the machine write again what it could not; False if it does not stand still for that.

    `StandstillError` if it still cannot; then it stands still as before.
    """
    if _status(asked) != _STOPPED:
        return False
    asked.execute("cont")
    until = time.monotonic() + _TRIED
    while time.monotonic() < until:
        if reason := why(asked, directory):
            raise StandstillError(
                f"the machine {directory.name} stands still, with nothing lost: {reason}",
                hint="make room on that disk of this host; then it goes on: devbox up",
            )
        time.sleep(_PAUSE)
    return True


def _status(asked: Qmp) -> object:
    answer = asked.execute("query-status")
    return answer.get("status") if isinstance(answer, dict) else None


def _file(node: str, directory: Path) -> str:
    """Return where the disk lies that is this node: QEMU itself may know it as a descriptor alone."""
    known, match = under.read(directory / paths.MACHINE_STARTED), _NODE.fullmatch(node)
    drives = known.spec.drives if known else ()
    number = int(match[1]) if match else len(drives)
    return printable(drives[number].path) if number < len(drives) else "one of its disks"
