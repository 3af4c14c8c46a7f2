"""The keys by which a machine that devbox has not made is entered by ssh, and known again: made for it alone (H-01)."""

import ctypes.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import record
from devbox.errors import MachineError

HOST: Final = "ssh_host_key"  # in the machine's directory; its public half beside it, as `.pub`
CLIENT: Final = "ssh_key"
_TYPE: Final = "ssh-ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """As OpenSSH writes them. `host`, `host_public`: of the machine's sshd; `public`: of who may enter."""

    host: str
    host_public: str
    public: str


def ensure(directory: Path) -> Keys:
    """Return the keys of the machine in `directory`, made if they are not there. `MachineError` if they cannot be."""
    try:
        for name in (HOST, CLIENT):
            if not (directory / f"{name}.pub").exists():  # it is written last
                _make(directory / name)
        return Keys(
            host=_read(directory / HOST),
            host_public=_read(directory / f"{HOST}.pub"),
            public=_read(directory / f"{CLIENT}.pub"),
        )
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise MachineError(f"the keys of a machine cannot be kept in {directory}: {why}") from error


def _make(path: Path) -> None:
    find = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None  # noqa: ARG005 (see `ssh.library`: it would run gcc)
    try:
        import asyncssh  # lazy: a quarter of a second, once for each machine
    finally:
        ctypes.util.find_library = find
    made = asyncssh.generate_private_key(_TYPE)
    record.write_text(str(path), made.export_private_key().decode("ascii"))
    record.write_text(f"{path}.pub", made.export_public_key().decode("ascii"))


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()
