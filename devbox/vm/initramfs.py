"""Initial RAM file systems: cpio archives in the format that the kernel unpacks ("newc"). Pure.

The kernel takes several, one behind the other. The first is the image's: the modules that a root file system is mounted
with. The second is the agent's program, the third the machine's: who it is. The same content gives the same bytes.
Source: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname

_MAGIC = b"070701"
_END = "TRAILER!!!"
_BLOCK = 512  # what follows begins at a place where the kernel looks for a magic number
_NAME_MAX = 4096
_SIZE_MAX = 2**32 - 1
_PLACES = ("dev", "proc", "root", "sys")  # where the program mounts things before there is anything else


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file or directory (`content` None). `path`: relative, as "modules/000-virtio.ko"."""

    path: str
    content: bytes | None = None
    mode: int = 0o644

    @property
    def full_mode(self) -> int:
        """The mode with its kind."""
        return (stat.S_IFDIR if self.content is None else stat.S_IFREG) | self.mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What one machine is told as it boots.

    `agent`: 64 hex that the agent shows to whoever connects. `environment`: of all that is started inside. `network`:
    address, gateway and name server, as "10.0.2.15/24 10.0.2.2 10.0.2.3"; None for none. `private`: of the wire to
    other machines the hardware address and the machine's, as "52:54:c6:13:01:02 198.19.1.2/16". `init`: the program
    that becomes process 1, "agent" for the agent itself. `epoch`: the host's clock, in seconds.
    """

    agent: str
    hostname: str
    environment: Mapping[str, str]
    network: str | None
    init: str
    epoch: int
    root: str = "/dev/vda"
    private: str | None = None


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive of `entries`, sorted, with their parents; the owner is root and the date the first of 1970.

    Raises `ValueError` for a path that leads elsewhere, and for one that is there twice.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        _check(entry, found)
        found[entry.path] = entry
    for parent in _parents(found):
        found.setdefault(parent, Entry(path=parent, mode=0o755))
    pieces = [_record(number, found[path]) for number, path in enumerate(sorted(found), 1)]
    pieces.append(_header(0, 0, 0, _END))
    whole = b"".join(pieces)
    return whole + bytes(-len(whole) % _BLOCK)


def modules_archive(modules: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the archive of an image: its `modules` (name, content) in the order of loading."""
    loaded = [
        Entry(path=f"modules/{number:03}-{name}.ko", content=content) for number, (name, content) in enumerate(modules)
    ]
    return archive([Entry(path="modules", mode=0o755), *loaded])


def agent_archive(program: bytes) -> bytes:
    """Return the archive of a build of the agent: its program, and the places that it needs before anything else."""
    places = [Entry(path=place, mode=0o755) for place in (*_PLACES, "devbox")]
    return archive([Entry(path="init", content=program, mode=0o755), *places])


def machine_archive(identity: Identity) -> bytes:
    """Return the archive of one machine: files below /devbox for root alone."""
    texts = {
        "identity": identity.agent,
        "hostname": identity.hostname,
        "environment": environment(identity.environment),
        "root": identity.root,
        "init": identity.init,
        "epoch": str(identity.epoch),
        **({} if identity.network is None else {"network": identity.network}),
        **({} if identity.private is None else {"private": identity.private}),
    }
    return archive(
        Entry(path=f"devbox/{name}", content=text.encode("utf-8", "surrogateescape"), mode=0o600)
        for name, text in texts.items()
    )


def environment(values: Mapping[str, str]) -> str:
    """Return `values` as the agent reads them."""
    return "".join(f"{name}={value}\0" for name, value in sorted(values.items()))


def hosts(name: str, network: str | None) -> str:
    """Return the file of names that a machine boots with, as the agent writes it (boot_network.c)."""
    address = network.partition("/")[0] if network else "127.0.1.1"
    return f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{address}\t{name}\n"


def _check(entry: Entry, found: Mapping[str, Entry]) -> None:
    parts = entry.path.split("/")
    if not all(parts) or {".", "..", _END} & set(parts) or "\0" in entry.path or len(entry.path) >= _NAME_MAX:
        raise ValueError(f"{entry.path!r} is no path for an initial RAM file system")
    if entry.path in found:
        raise ValueError(f"{entry.path} is there twice")
    if entry.content is not None and len(entry.content) > _SIZE_MAX:
        raise ValueError(f"{entry.path} is too large for an initial RAM file system")


def _parents(paths: Iterable[str]) -> Iterator[str]:
    for path in list(paths):
        parent = dirname(path)
        while parent:
            yield parent
            parent = dirname(parent)


def _record(number: int, entry: Entry) -> bytes:
    content = entry.content or b""
    return _header(number, entry.full_mode, len(content), entry.path) + content + bytes(-len(content) % 4)


def _header(number: int, mode: int, size: int, path: str) -> bytes:
    name = path.encode("utf-8", "surrogateescape") + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # inode, mode, uid, gid, links, date, size, device of the file and of what it stands for (two each), name, checksum
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name), 0)
    head = _MAGIC + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4)
