"""Whom QEMU runs as where devbox is root: an account of the machine's own, which owns nothing and is nobody else's.

It needs no entry in any list of users. It cannot enter a directory of root's, so all that QEMU uses is opened for it
(`hand_over`); what a guest that has broken out of QEMU has are those descriptors, and what everybody on this host has.
"""

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from devbox.process import Account

_KVM: Final = Path("/dev/kvm")
_MAPS: Final = (Path("/proc/self/uid_map"), Path("/proc/self/gid_map"))
# Where nobody else takes numbers from: above what container engines and systemd-nspawn use, and for a devbox inside a
# container that has but 65536 of them, what systemd gives to services for as long as they run.
_RANGES: Final = ((0x7000_0000, 0x0800_0000), (61184, 4336))


def account_of(uuid: str, program: str) -> Account | None:
    """Return whom `program` is to run as for the machine `uuid`; None: as this user, which may be root (`why_root`)."""
    if os.geteuid() != 0 or why_root(program):
        return None
    start, count = next(_usable())
    number = start + int.from_bytes(hashlib.sha256(uuid.encode()).digest()[:8]) % count
    return Account(uid=number, gid=number, groups=_groups())


def why_root(program: str) -> str | None:
    """Return in words why QEMU has to be root here, since devbox is; None if neither is so."""
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        return "QEMU runs as root, since devbox does: run devbox as an ordinary user"
    if next(_usable(), None) is None:
        return "QEMU runs as root, since this container or user namespace has no other user"
    if not _reached_by_all(Path(program)):
        return f"QEMU runs as root, since nobody else may run {program}"
    return None


def _usable() -> Iterator[tuple[int, int]]:
    """Yield the ranges, each a start and how many, all of which are users and groups here."""
    maps = [_mapped(path) for path in _MAPS]
    for start, count in _RANGES:
        if all(any(low <= start and start + count <= low + many for low, many in one) for one in maps):
            yield start, count


def _mapped(path: Path) -> list[tuple[int, int]]:
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    return [(int(row[0]), int(row[2])) for row in rows]


def _reached_by_all(program: Path) -> bool:
    whole = program.resolve()
    with contextlib.suppress(OSError):  # whoever starts it hears of that
        return all(path.stat().st_mode & stat.S_IXOTH for path in (whole, *whole.parents))
    return True


def is_accelerated() -> bool:
    """Tell whether such a user may open the host's acceleration, if that is there: by its group or as everybody."""
    everybody = stat.S_IROTH | stat.S_IWOTH
    return bool(_groups()) or (_KVM.exists() and _KVM.stat().st_mode & everybody == everybody)


def _groups() -> tuple[int, ...]:
    """Return the group by which the host's acceleration is opened, if it takes one."""
    try:
        found = _KVM.stat()
    except OSError:
        return ()
    both = stat.S_IRGRP | stat.S_IWGRP
    return (found.st_gid,) if found.st_gid and found.st_mode & both == both else ()
