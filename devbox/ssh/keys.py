"""The host key of a Workspace's ssh front, and the file in which the client has it pinned (H-01, H-02).

A real sshd inside has a key of its own, since whoever is root there has it too; the client proves itself by another.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.errors import StateError
from devbox.ssh.library import asyncssh
from devbox.ssh.sshd import Keys

HOST_KEY: Final = "host_key"
KNOWN_HOSTS: Final = "known_hosts"
SSHD_HOST_KEY: Final = "sshd_host_key"
SSHD_KNOWN_HOSTS: Final = "sshd_known_hosts"
CLIENT_KEY: Final = "client_key"
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
    with _kept_in(Path(paths.ssh_directory(path_hash))) as place:
        _pin(place / HOST_KEY, place / KNOWN_HOSTS, alias)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshdFiles:
    """What the client is told of a real sshd: by which key to prove itself, and where the host key is pinned."""

    identity: Path
    known_hosts: Path


def ensure_sshd_keys(path_hash: str, alias: str) -> SshdFiles:
    """Do the same for the Workspace's real sshd, and for its client; return the client's files."""
    with _kept_in(Path(paths.ssh_directory(path_hash))) as place:
        _pin(place / SSHD_HOST_KEY, place / SSHD_KNOWN_HOSTS, alias)
        if not (place / CLIENT_KEY).exists():
            _make(place / CLIENT_KEY)
    return SshdFiles(identity=place / CLIENT_KEY, known_hosts=place / SSHD_KNOWN_HOSTS)


def sshd_keys(path_hash: str) -> Keys:
    """Return the keys that the real sshd inside is given; `StateError` if no entry was made for it."""
    with _kept_in(Path(paths.ssh_directory(path_hash))) as place:
        if not (place / SSHD_HOST_KEY).exists() or not (place / CLIENT_KEY).exists():
            raise StateError("the keys of the sshd inside have gone", hint="devbox ssh-config --write")
        return Keys(host=(place / SSHD_HOST_KEY).read_text("ascii"), client=f"{_public(place / CLIENT_KEY)}\n")


@contextlib.contextmanager
def _kept_in(place: Path) -> Iterator[Path]:
    """Give the directory of the keys, for this user alone."""
    try:
        paths.private_directory(str(place))
        place.chmod(0o700)
        yield place
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StateError(f"the key for ssh cannot be kept in {place}: {why}") from error


def _pin(key: Path, pinned: Path, alias: str) -> None:
    if not key.exists():
        _make(key)
    line = f"{alias} {_public(key)}\n"
    if not pinned.exists() or pinned.read_text(encoding="utf-8", errors="replace") != line:
        record.write_text(str(pinned), line)


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
