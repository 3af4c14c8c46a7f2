"""Who listens on a port of this host, by Linux's /proc; elsewhere, and where others hide it, nobody is known."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

_LISTENS = "0A"  # the state of a TCP socket in /proc/net/tcp
_SUPERVISOR = b"/devbox/supervisor/__main__.py\0"
_PROXIES = ("docker-proxy", "rootlessport", "conmon")  # they hold a port for a container


def holder(port: int, protocol: str, *, proc: Path = Path("/proc")) -> str | None:
    """Return in words who has the port ("nginx, pid 12", "another container"); None if that cannot be told."""
    inodes = {inode for table in (protocol, protocol + "6") for inode in _inodes(proc / "net" / table, port, protocol)}
    for process in proc.glob("[0-9]*") if inodes else ():
        if inodes & set(_sockets(process)):
            name = _name(process)
            if _is_supervisor(process):
                return "another environment"
            return "another container" if name in _PROXIES else f"{name}, pid {process.name}"
    return None


def _inodes(table: Path, port: int, protocol: str) -> Iterator[str]:
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for fields in (line.split() for line in lines):
        if int(fields[1].rpartition(":")[2], 16) == port and (protocol == "udp" or fields[3] == _LISTENS):
            yield fields[9]


def _sockets(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):  # it has gone, or is somebody else's
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def _is_supervisor(process: Path) -> bool:
    """Whether it is devbox's own, which holds a port for an Environment."""
    with contextlib.suppress(OSError):
        return _SUPERVISOR in (process / "cmdline").read_bytes()
    return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process"
