"""What a machine was saved under, and must find again to go on where it was.

That is its QEMU, what that was started with, its disks as they were when it stopped, a processor of the same kind. A
disk that has changed since is not the one that its memory knows: what is written from there would destroy it.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from devbox import record
from devbox.errors import MachineError
from devbox.process import Processes
from devbox.vm import network, qemu
from devbox.vm.layers import chain
from devbox.vm.qemu_args import Drive, MachineSpec, argv

_SCHEMA: Final = 1
_ANY: Final = 3  # a descriptor: its number means nothing
_PROCESSOR: Final = Path("/proc/cpuinfo")
_KIND: Final = ("model name", "flags", "Features", "CPU part")  # the lines that tell one kind of processor from another


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """A machine as it is started, and once it is saved also as it stopped.

    `arguments`, `host`: digests (16 hex). `version`: QEMU's own word. `state`, `files`: which file it is, as of when.
    """

    spec: MachineSpec
    arguments: str
    host: str
    version: str = ""
    state: str = ""
    files: tuple[tuple[str, str], ...] = ()


def started(spec: MachineSpec, processes: Processes) -> Under:
    """Return what a machine is under that is started from `spec` on this host, now."""
    wire = None if network.lacking(processes) else _ANY
    arguments = argv(spec, qemu.find(processes), wire=wire, share=_ANY if spec.share else None)
    return Under(spec=spec, arguments=_digest(*arguments), host=_host(spec.accelerator))


def saved(known: Under, state: Path, version: str) -> Under:
    """Return `known` as it is of a machine that stands still and has been written to `state` by QEMU `version`."""
    return replace(known, version=version, state=_which(state), files=tuple(_files(known.spec)))


def misfit(known: Under, state: Path, processes: Processes) -> str | None:
    """Return in words why `state` cannot go on here and now; None if nothing speaks against it."""
    return elsewhere(known, processes) or changed(known, state)


def elsewhere(known: Under, processes: Processes) -> str | None:
    """Return in words why nothing that was saved under `known` can go on by what this host is now; None if it can."""
    now = started(known.spec, processes)
    if now.arguments != known.arguments:
        return "it would be started in another way now"
    if now.host != known.host:
        return "this host has another processor or kernel now"
    return None


def changed(known: Under, state: Path) -> str | None:
    """Return in words which of its files is another one than when it was saved; None if none is."""
    if _which(state) != known.state:
        return f"{state} is not what was saved"
    found = [path for path, which in known.files if _which(Path(path), ever=True) != which]
    return f"{found[0]} has changed since" if found else None


def outdated(known: Under, processes: Processes) -> str | None:
    """Return in words that QEMU is of another version than `known` was saved by, before it is started; None if not."""
    now = qemu.version(qemu.find(processes), processes)
    return None if _words(now) == _words(known.version) else f"QEMU is another one now, {now} and not {known.version}"


def _words(version: str) -> list[str]:
    """Return what a version says, without the brackets that QEMU writes in one place and not in the other."""
    return version.replace("(", " ").replace(")", " ").split()


def write(path: Path, known: Under) -> None:
    """Keep it at `path`, whole or not at all; `OSError` if that cannot be."""
    record.write_text(str(path), json.dumps({"schema": _SCHEMA, **asdict(known)}, indent=1) + "\n")


def read(path: Path) -> Under | None:
    """Return what is kept at `path`; None if there is nothing that can be used."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(document) if document.pop("schema") == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _parsed(values: dict[str, Any]) -> Under:
    spec = values["spec"]
    drives = tuple(Drive(**{**one, "below": None}) for one in spec["drives"])  # it is looked up whenever it starts
    files = tuple((path, found) for path, found in values["files"])
    return Under(**{**values, "spec": MachineSpec(**{**spec, "drives": drives}), "files": files})


def _files(spec: MachineSpec) -> Iterator[tuple[str, str]]:
    paths = [path for path in (spec.kernel, spec.initrd) if path]
    for drive in spec.drives:
        paths += chain(drive)
    for path in paths:
        yield path, _which(Path(path), ever=True)


def _which(path: Path, *, ever: bool = False) -> str:
    """Return which file lies at `path`, and as of when. `ever`: whatever was done to it, be it another name."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}" + (f" {found.st_ctime_ns}" if ever else "")


def _host(accelerator: str) -> str:
    """Return what a machine has of this host: under emulation nothing."""
    if accelerator == "tcg":
        return ""
    try:
        lines = _PROCESSOR.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0].split("\n")
    except OSError:
        lines = []
    kind = [line for line in lines if line.split("\t")[0].strip() in _KIND]
    return _digest(os.uname().release, os.uname().machine, *kind)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def require(known: Under | None) -> Under:
    """Return `known`; `MachineError` if nobody knows what a machine was started with."""
    if known is None:
        raise MachineError(
            "nobody noted what the machine was started with, so it cannot be saved",
            hint="devbox halt, and devbox up by this devbox",
        )
    return known
