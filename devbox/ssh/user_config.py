"""The user's own ~/.ssh/config: one line goes in or out, whole or not at all; nothing else of it changes."""

import glob
import os
import stat
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import StateError
from devbox.ssh.entry import include_line

ENTRY: Final = "config"  # in a Workspace's ssh directory
_LARGEST: Final = 4 * 1024 * 1024


def path() -> Path:
    """Return where ssh looks for it."""
    return Path(paths.home()) / ".ssh" / "config"


def read() -> str:
    """Return its text; empty if there is none. `StateError` if it is no ordinary file, or cannot be read."""
    file = path()
    try:
        facts = file.stat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unusable(file, error.strerror) from error
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
        raise _unusable(file, "it is no ordinary file")
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _unusable(file, error.strerror) from error


def write(text: str) -> None:
    """Replace it by `text`, where a link leads to if it is one; mode and owner stay, a new one is the user's alone."""
    file = Path(os.path.realpath(path()))
    draft = file.with_name(f".{file.name}.devbox.{os.getpid()}")
    try:
        if not path().parent.exists():
            paths.private_directory(str(path().parent))
        try:
            with draft.open("xb") as target:
                _like(target.fileno(), file)
                target.write(text.encode("utf-8", "surrogateescape"))
                target.flush()
                os.fsync(target.fileno())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(file, error.strerror) from error


def _like(descriptor: int, file: Path) -> None:
    """Give a new file the mode and owner of the one that it will be; without one, the user's alone."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o600)
        return
    os.fchmod(descriptor, stat.S_IMODE(facts.st_mode))
    if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, facts.st_uid, facts.st_gid)


def _unusable(file: Path, why: str | None) -> StateError:
    return StateError(
        f"{file} cannot be changed: {(why or 'it fails').lower()}",
        hint=f"put this in its first line by hand: {include_line(pattern())}",
    )


def entry_files() -> list[Path]:
    """Return the files that hold devbox's entries, of all Workspaces."""
    return sorted((Path(paths.state_root()) / "s").glob(f"*/ssh/{ENTRY}"))


def pattern() -> str:
    """Return the pattern of the files that hold devbox's entries."""
    return str(Path(glob.escape(paths.state_root())) / "s" / "*" / "ssh" / ENTRY)
