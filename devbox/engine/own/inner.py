"""A program in a root file system of its own, as root of a user namespace: `python -I -S inner.py JSON`, see `Order`.

It is started in the store's directory and knows nothing but names below it: the user that it becomes may enter no
directory above. What it is root of is a range of users that nobody else is, so whatever gets out of the file system is
nobody. Everything is imported before that, since Python may lie where nobody else can read.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import pwd
import socket
import struct
import sys
import time
import warnings  # noqa: F401 (os.execvpe wants it, when it can no longer be read)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

IDS = 65536
_NEW_MOUNTS, _NEW_NAMES, _NEW_MESSAGES = 0x20000, 0x4000000, 0x8000000
_NEW_USERS, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_BIND, _DEEP, _PRIVATE, _DETACH = 4096, 16384, 1 << 18, 2
_DIE_WITH_PARENT, _DROP = 1, 24
_KILL = 9
_PAUSE = 0.02  # seconds
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_OF_HOST = ("etc/resolv.conf", "etc/hosts")
_BITS = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "SYS_CHROOT": 18, "SETFCAP": 31,
}  # fmt: skip
_LAST = 63
_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Carry out the order in JSON and return the exit status of its program.

    `ids`: which range is taken, [start, count], or none for what /etc/subuid gives this user. `root`: a directory;
    none: the program is the host's, with the store before it. `argv`, `env`, `workdir`, `hostname`, `network`,
    `capabilities`, `user` ([uid, gid]); `mounts`: ["tmpfs" | "bind", source, target].
    """
    order, starter = json.loads(sys.argv[1]), os.getppid()
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go[1])
        _guarded(lambda: _begin(order, ready[1], go[0]))
    os.close(ready[1])
    if os.read(ready[0], 1):
        _map(child, order["ids"])
        os.write(go[1], b".")
    os.close(go[1])
    while os.getppid() == starter:  # a thread may have started this, and have ended: the kernel's own signal is no use
        if _has_ended(child):
            return _ended(child)
        time.sleep(_PAUSE)
    os.kill(child, _KILL)
    return _ended(child)


def _has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _guarded(what: Callable[[], object]) -> NoReturn:
    try:
        what()
    except OSError as error:
        sys.stderr.write(f"devbox: {error.strerror or error} ({error.filename or 'namespace'})\n")
    except BaseException as error:  # noqa: BLE001 (whatever it is, nothing else may go on from here)
        sys.stderr.write(f"devbox: {error!r}\n")
    sys.stderr.flush()
    os._exit(125)


def _ended(child: int) -> int:
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _begin(order: dict[str, Any], ready: int, go: int) -> None:
    _unshare(_NEW_USERS)
    os.write(ready, b".")
    if not os.read(go, 1):
        return
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _with_parent()
    if order["root"] is None:
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    own = _NEW_MOUNTS | _NEW_PROCESSES | _NEW_NAMES | _NEW_MESSAGES
    _unshare(own | (0 if order["network"] else _NEW_NETWORK))
    child = os.fork()
    if child == 0:
        _guarded(lambda: _enter(order))
    os._exit(_ended(child))


def _map(child: int, ids: list[int] | None) -> None:
    """Let the child be root of its range: root writes that down itself, others have it written for them."""
    if ids is not None:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 {ids[0]} {ids[1]}\n")
        return
    for program, own, table in (("newuidmap", os.getuid(), "/etc/subuid"), ("newgidmap", os.getgid(), "/etc/subgid")):
        start, count = _granted(table)
        words = [program, str(child), "0", str(own), "1", "1", str(start), str(min(count, IDS - 1))]
        if _run(words):
            raise OSError(errno.EPERM, "no users to be root of", table)


def _run(words: list[str]) -> int:
    child = os.fork()
    if child == 0:
        _guarded(lambda: os.execvp(words[0], words))
    return _ended(child)


def _granted(table: str) -> tuple[int, int]:
    own = str(os.getuid())
    who = {own, *(entry.pw_name for entry in pwd.getpwall() if str(entry.pw_uid) == own)}
    with open(table, encoding="utf-8") as file:
        for line in file:
            name, _, rest = line.strip().partition(":")
            if name in who:
                start, _, count = rest.partition(":")
                return int(start), int(count)
    raise OSError(errno.EPERM, "no line for this user", table)


def _enter(order: dict[str, Any]) -> None:
    _with_parent()
    _mount(None, "/", None, _DEEP | _PRIVATE)
    _mount(order["root"], order["root"], None, _BIND | _DEEP)
    store = os.open(".", os.O_PATH)
    os.chdir(order["root"])
    if _mount("proc", "proc", "proc", 0, required=False):
        _mount("/proc", "proc", None, _BIND | _DEEP)
    _mount("/sys", "sys", None, _BIND | _DEEP, required=False)
    _devices()
    for path in _OF_HOST:
        if os.path.isfile(path) and os.path.exists(f"/{path}"):
            _mount(f"/{path}", path, None, _BIND, required=False)
    for kind, source, target in order["mounts"]:
        place = target.lstrip("/")
        os.makedirs(place, exist_ok=True)
        if kind == "tmpfs":
            _mount("tmpfs", place, "tmpfs", 0, data="mode=755")
        else:
            _mount(f"/proc/self/fd/{store}/{source}", place, None, _BIND)
    os.close(store)
    _pivot()
    if order["hostname"]:
        name = order["hostname"].encode()
        _checked(_libc.sethostname(name, len(name)), "hostname")
    if not order["network"]:
        _loopback()
    _drop(order["capabilities"])
    os.chdir(order["workdir"])
    uid, gid = order["user"]
    if uid or gid:
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    os.umask(0o022)
    os.execvpe(order["argv"][0], order["argv"], order["env"])


def _devices() -> None:
    os.makedirs("dev", exist_ok=True)
    _mount("tmpfs", "dev", "tmpfs", 0, data="mode=755")
    for name in _DEVICES:
        os.close(os.open(f"dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        _mount(f"/dev/{name}", f"dev/{name}", None, _BIND)
    for name, target in _LINKS.items():
        os.symlink(target, f"dev/{name}")
    for name in ("shm", "pts"):
        os.mkdir(f"dev/{name}")
    os.chmod("dev/shm", 0o1777)


def _pivot() -> None:
    """Make what is here all that there is."""
    _checked(_libc.pivot_root(b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _DETACH), "umount")
    os.chdir("/")


def _loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        known = fcntl.ioctl(asked, _FLAGS, struct.pack("16sh14x", b"lo", 0))
        (flags,) = struct.unpack("16xh14x", known)
        fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def _drop(kept: list[str]) -> None:
    numbers = {_BITS[name] for name in kept}
    for number in range(_LAST + 1):
        if number not in numbers:
            _libc.prctl(_DROP, number, 0, 0, 0)


def _with_parent() -> None:
    """End when whoever started this ends; whoever becomes another user has to say it again."""
    _libc.prctl(_DIE_WITH_PARENT, _KILL, 0, 0, 0)


def _unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "namespace")


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, *, required: bool = True, data: str | None = None
) -> int:
    """Return 0, or something else if that did not work and is not required."""
    words = [word and word.encode() for word in (source, target, kind)]
    made = _libc.mount(*words, flags, data and data.encode())
    if made and required:
        _checked(made, target)
    return int(made)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    sys.exit(main())
