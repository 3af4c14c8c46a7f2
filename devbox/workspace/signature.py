"""Whether anything that a plan was made from has changed since: the inputs' state on disk, and what is around them."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from devbox import __version__

_PREFIXES: Final = ("DEVBOX_", "DOCKER_", "CONTAINER", "XDG_", "SSL_")
_NAMES: Final = ("HOME", "TZ", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_MARGIN: Final = 50_000_000  # nanoseconds; two changes within the file system's clock tick look like one
_PACKAGE: Final = Path(__file__).parent.parent


def signature(files: Iterable[str], *, environ: Mapping[str, str], uid: int, gid: int) -> str:
    """Return a digest (64 hex) of the state of `files`, there or not, of what else decides, and of this devbox."""
    around = {name: value for name, value in environ.items() if _decides(name)}
    states = [[name, _state(name)] for name in files]
    values = [__version__, _newest(_PACKAGE), uid, gid, sorted(around.items()), states]
    return hashlib.sha256(json.dumps(values).encode("utf-8", "surrogateescape")).hexdigest()


def _decides(name: str) -> bool:
    # A fault that a test asks for decides nothing.
    return name in _NAMES or (name.startswith(_PREFIXES) and name != "DEVBOX_FAULT")


def settled(files: Iterable[str], *, before: int) -> bool:
    """Whether no one of `files` has been changed since `before` (nanoseconds of the system's clock) or just before.

    Only then is their state now the one in which they were read.
    """
    return all((found[-1] if (found := _state(name)) else 0) < before - _MARGIN for name in files)


def _state(name: str) -> list[int]:
    try:
        found = os.stat(name)  # noqa: PTH116 (300 of these: pathlib would take longer than the system)
    except OSError:
        return []
    who = (found.st_mode, found.st_uid, found.st_gid)
    return [*who, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _newest(directory: Path) -> int:
    """Return when the code below `directory` was changed last: an editable install keeps its version number."""
    newest = 0
    for entry in os.scandir(directory):
        if entry.is_dir():
            newest = max(newest, _newest(Path(entry.path)))
        elif entry.name.endswith(".py"):
            newest = max(newest, entry.stat().st_mtime_ns)
    return newest
