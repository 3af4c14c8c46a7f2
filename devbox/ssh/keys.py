"""The host key of a Workspace's ssh front, and the file in which the client has it pinned (H-01, H-02)."""

import contextlib
import os
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.errors import StateError
from devbox.ssh.library import asyncssh

HOST_KEY: Final = "host_key"
KNOWN_HOSTS: Final = "known_hosts"
_TYPE: Final = "ssh-ed25519"


def host_key_file(path_hash: str) -> Path:
    """Return where the key is."""
    return Path(paths.ssh_directory(path_hash)) / HOST_KEY


def known_hosts_file(path_hash: str) -> Path:
    """Return where the client finds it pinned."""
    return Path(paths.ssh_directory(path_hash)) / KNOWN_HOSTS


def ensure_keys(path_hash: str, alias: str) -> None:
    """Make the Workspace's key, if there is none, and pin it for the host `alias`.

    Raises `StateError` if the directory cannot be written, or holds something that is no key.
    """
    key = host_key_file(path_hash)
    try:
        paths.private_directory(str(key.parent))
        key.parent.chmod(0o700)
        if not key.exists():
            _make(key)
        line = f"{alias} {_public(key)}\n"
        pinned = known_hosts_file(path_hash)
        if not pinned.exists() or pinned.read_text(encoding="utf-8", errors="replace") != line:
            record.write_text(str(pinned), line)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StateError(f"the key for ssh cannot be kept in {key.parent}: {why}") from error


def _make(key: Path) -> None:
    """Write a new key, whole; one that another devbox made in the same moment wins."""
    draft = key.with_name(f"{key.name}.{os.getpid()}.new")
    record.write_text(str(draft), asyncssh.generate_private_key(_TYPE).export_private_key().decode("ascii"))
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, key)
    finally:
        draft.unlink()


def _public(key: Path) -> str:
    try:
        words = asyncssh.read_private_key(key).export_public_key().decode("ascii").split()
        return " ".join(words[:2])  # without a comment
    except (asyncssh.KeyImportError, ValueError) as error:
        raise StateError(
            f"{key} is no key any more", hint=f"remove it, then write the entry anew: devbox ssh-config; {key}"
        ) from error
