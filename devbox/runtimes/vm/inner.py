"""What a machine is told once its agent answers: `agent settle` reads it, and carries it out in order. Pure.

One program does all of it: a machine that boots has a hundred others to start, and one that goes on has to translate
each anew under emulation.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from devbox.runtimes.base import DataVolume
from devbox.runtimes.inside import AGENT
from devbox.vm import initramfs
from devbox.vm.share_args import TAG

SERIAL: Final = "devbox-data"  # of the disk that holds the volumes
SETTLE: Final = (AGENT, "settle")
SETTLE_HERE: Final = (*SETTLE, "here")  # by the agent itself, which hears nobody else meanwhile
SEED: Final = 64  # bytes of randomness for one that wakes
_SECTOR: Final = 512
_NOBODYS: Final = "nobody-"  # how volumes are called that have no Workspace yet

Fact = tuple[str, bytes]
"""Its kind and its value; devbox/agent/src/settle.h has all kinds."""


DATA: Final[Fact] = ("data", SERIAL.encode())  # the disk that holds the volumes is mounted
GROWN: Final[Fact] = ("grow", b"/")  # the root file system fills its disk


def until_grown(size: int) -> tuple[str, ...]:
    """Return a command that ends when the root disk is seen to have `size` bytes, which is a moment after it has."""
    script = 'for _ in $(seq 50); do [ "$(cat /sys/block/vda/size)" -ge "$1" ] && exit; sleep 0.1; done; exit 1'
    return ("/bin/sh", "-c", script, "sh", str(size // _SECTOR))


def told(facts: Iterable[Fact]) -> bytes:
    """Return what `SETTLE` reads to carry out `facts`."""
    return b"".join(b"%b\0%d\0%b\0" % (kind.encode(), len(value), value) for kind, value in facts)


def waking(now: int, seed: bytes) -> tuple[Fact, ...]:
    """Return what one that was saved cannot know: the time (nanoseconds since 1970), and that it may not be alone."""
    return ("time", b"%d" % now), ("seed", seed)


def named(identity: initramfs.Identity, *, machine_id: str, mac: str, wire: str = "") -> tuple[Fact, ...]:
    """Return who it is, of one that was nobody. `mac`: the hardware address that it has, and the one it is to have.

    `machine_id`: 32 hex. `wire`: the same of its wire to other machines, and its address there; empty if it has none.
    """
    texts = {
        "mac": mac,
        **({"wire": wire} if wire else {}),
        "machine-id": machine_id,
        "hosts": initramfs.hosts(identity.hostname, identity.network),
        "hostname.line": f"{identity.hostname}\n",
        "hostname": identity.hostname,
        "environment": initramfs.environment(identity.environment),
        "identity": identity.agent,
    }
    return tuple((kind, _encoded(text)) for kind, text in texts.items())


def placed(volumes: Sequence[DataVolume]) -> tuple[Fact, ...]:
    """Return that `volumes` are to be in place, each filled first with what the Image has there, unless it is bare.

    File systems grow to the disks that they are on.
    """
    texts = ["\0".join((one.name, one.target, "bare" if one.bare else "filled")) for one in _ordered(volumes)]
    return DATA, *(("volume", _encoded(text)) for text in texts)


def nobodys(volumes: Sequence[DataVolume]) -> tuple[DataVolume, ...]:
    """Return such volumes of a machine that is nobody: to mount them is half of the work of one that goes on."""
    return tuple(replace(one, name=f"{_NOBODYS}{number}") for number, one in enumerate(_ordered(volumes)))


def places(volumes: Sequence[DataVolume]) -> tuple[str, ...]:
    """Return where those of `nobodys` are, in their order."""
    return tuple(one.target for one in _ordered(volumes))


def like(volumes: Sequence[DataVolume]) -> tuple[str, ...]:
    """Return what those that take over the same of `nobodys` have in common.

    One that begins with nothing may have been elsewhere: the project's own has the name of its directory.
    """
    return tuple("" if one.bare else one.target for one in _ordered(volumes))


def taken_over(volumes: Sequence[DataVolume], before: Sequence[str]) -> tuple[Fact, ...]:
    """Return that those of `nobodys`, which are at the places `before`, are `volumes` from now on."""
    pairs = zip(nobodys(volumes), _ordered(volumes), strict=True)
    renamed = tuple(("renamed", _encoded(f"{theirs.name}\0{ours.name}")) for theirs, ours in pairs)
    now = places(volumes)
    return renamed + tuple(("left", _encoded(place)) for place in reversed(before) if place not in now)


def shared(target: str) -> tuple[str, ...]:
    """Return the command that has what is shared live with the machine at `target`; done once, it does nothing."""
    script = 'mkdir -p "$2" && { mountpoint -q "$2" || exec mount -t virtiofs -o nosuid,nodev "$1" "$2"; }'
    return ("/bin/sh", "-c", script, "sh", TAG, target)


def file(target: str, content: bytes) -> Fact:
    """Return that the file `target` is to hold `content`."""
    return "file", _encoded(target) + b"\0" + content


def _ordered(volumes: Sequence[DataVolume]) -> list[DataVolume]:
    """Return them so that none hides another."""
    return sorted(volumes, key=lambda one: one.target.count("/"))


def _encoded(text: str) -> bytes:
    return os.fsencode(text)
