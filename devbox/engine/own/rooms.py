"""Programs as root of a range of users that nobody else is (`inner`), with the store's directory before them."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox.engine.base import Mount, MountKind
from devbox.engine.own import inner
from devbox.errors import EngineError
from devbox.process import Piped, Processes

_ROOTS: Final = (0x7800_0000, inner.IDS)  # of real root: above what engines and systemd give away, and what QEMU is
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a program inside a root file system has. `root`: its directory, relative to the store."""

    root: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    user: str = "0:0"
    workdir: str = "/"
    hostname: str = ""
    network: bool = True
    mounts: tuple[Mount, ...] = ()
    capabilities: tuple[str, ...] = ()


def lacking(processes: Processes) -> str | None:
    """Return in words what this host lacks for it; None if nothing is known to be missing."""
    if sys.platform != "linux":
        return "only Linux can do that"
    missing = [name for name in ("mmdebstrap", "tar") if processes.which(name) is None]
    if os.geteuid() != 0:
        missing += ["uidmap"] if processes.which("newuidmap") is None else []
    return f"{' and '.join(missing)} must be installed for it" if missing else None


def make_place(directory: Path) -> None:
    """Have a directory that the programs can write to, and nobody else but this user."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(directory, _ROOTS[0], _ROOTS[0])


def enter(store: Path, room: Room, *, stdin: bool) -> Piped:
    """Start the program of `room`."""
    uid, _, gid = room.user.partition(":")
    environment = {"PATH": _PATH, "HOME": "/root", "HOSTNAME": room.hostname, **dict(room.env)}
    order = {
        "root": room.root,
        "argv": room.argv,
        "env": environment,
        "user": [int(uid), int(gid or uid)],
        "workdir": room.workdir,
        "hostname": room.hostname,
        "network": room.network,
        "mounts": [[_kind(mount), f"volumes/{mount.source}", mount.target] for mount in room.mounts],
        "capabilities": room.capabilities,
    }
    return _started(store, order, stdin=stdin)


def beside(store: Path, argv: Sequence[str]) -> Piped:
    """Start a program of this host, in the store and with what it holds as its own."""
    return _started(store, {"root": None, "argv": list(argv), "env": {"PATH": _PATH, "LC_ALL": "C.UTF-8"}}, stdin=True)


def run(store: Path, argv: Sequence[str]) -> None:
    """Run such a program to its end; `EngineError` with its words if it fails."""
    done(beside(store, argv), argv[0])


def done(program: Piped, name: str) -> None:
    """Wait for the end of `program`, whose input is all there; `EngineError` with its words if it failed."""
    program.close_stdin()
    words = b""
    while (frame := program.receive()) is not None:
        words = (words + frame[1])[-4096:]
    status = program.wait()
    if status:
        detail = words.decode("utf-8", "replace").strip() or None
        raise EngineError(f"{name} failed with exit code {status}", detail=detail, hint=_hint(status))


def remove(store: Path, name: str) -> None:
    """Remove what lies at `name` in the store, whoever it is of inside."""
    if (store / name).exists():
        run(store, ["rm", "-rf", "--one-file-system", "--", f"{name}/root"])
        shutil.rmtree(store / name, ignore_errors=True)


def _hint(status: int) -> str | None:
    return "let this user have further ones: /etc/subuid and /etc/subgid, package uidmap" if status == 125 else None


def _kind(mount: Mount) -> str:
    return "tmpfs" if mount.kind is MountKind.TMPFS else "bind"


def _started(store: Path, order: Mapping[str, object], *, stdin: bool) -> Piped:
    ids = list(_ROOTS) if os.geteuid() == 0 else None
    # -S leaves nothing to be read later, when nothing can be read any more.
    argv = [sys.executable, "-I", "-S", str(inner.__file__), json.dumps({**order, "ids": ids})]
    return Piped(argv, cwd=store, stdin=stdin)
