"""What a live share of a directory is made of: QEMU's end and the daemon's, as pure functions of values.

There are two daemons of one name. The one in C came with QEMU up to 7.2, the one in Rust is what there is since; what
they do is the same, what their options are called is not.
"""

from dataclasses import dataclass
from typing import Final

TAG: Final = "devbox"  # by which it is mounted inside
# Seconds for which what a file is may be known inside without asking. Without any, each word of each path is asked for
# every time, and a walk takes forty times as long; with a second, the command after an edit would see it as it was.
_KNOWN: Final = 0.1
_QUEUE: Final = 1024  # requests at once; QEMU's own 128 are soon full
# All that a root daemon would have: what the user may do to the user's own files needs none of it.
_CAPABILITIES: Final = ("chown", "dac_override", "fowner", "fsetid", "setgid", "setuid", "mknod", "setfcap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A virtiofsd: its full path, and which of the two it is."""

    program: str
    is_rust: bool


def device(descriptor: int) -> tuple[str, ...]:
    """Return QEMU's end: it has the socket as `descriptor`, connected."""
    return (
        *("-chardev", f"socket,id=share,fd={descriptor}"),
        *("-device", f"vhost-user-fs-pci,chardev=share,tag={TAG},queue-size={_QUEUE}"),
    )


def daemon_argv(daemon: Daemon, *, socket: int, directory: str, files: int) -> tuple[str, ...]:
    """Return the command that shares `directory` with whoever is connected to the listening descriptor `socket`.

    It ends with that connection. `files`: how many descriptors it may have, one for each file that is known inside.
    """
    drop = ":".join(f"-{name}" for name in _CAPABILITIES)
    if daemon.is_rust:
        return (
            daemon.program,
            f"--fd={socket}",
            f"--shared-dir={directory}",
            "--sandbox=namespace",
            "--cache=auto",
            "--inode-file-handles=never",
            f"--rlimit-nofile={files}",
            f"--modcaps={drop}",
            "--log-level=warn",
        )
    return (
        daemon.program,
        "-f",
        f"--fd={socket}",
        f"--rlimit-nofile={files}",
        *("-o", f"source={_escaped(directory)}"),
        *("-o", "sandbox=namespace"),
        *("-o", "cache=auto"),
        *("-o", f"timeout={_KNOWN}"),
        *("-o", f"modcaps={drop}"),
        *("-o", "log_level=warn"),
    )


def room_argv(unshare: str, *, uid: int, gid: int, grouped: bool) -> tuple[str, ...]:
    """Return what stands before a command that is to be one user in a user namespace, with no other user there.

    So it can confine itself, and what it writes belongs to that user, whoever inside the machine it is for. `grouped`:
    the user is in further groups; to leave them takes a namespace with further groups in it, which /etc/subgid gives.
    """
    return (
        unshare,
        "--user",
        f"--map-user={uid}",
        f"--map-group={gid}",
        *(("--map-groups=auto",) if grouped else ()),
        "--keep-caps",
    )


def _escaped(path: str) -> str:
    """Return `path` as one value among options with commas between them."""
    return path.replace("\\", "\\\\").replace(",", "\\,")
