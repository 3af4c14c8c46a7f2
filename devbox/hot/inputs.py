"""Whether anything that the last `up` went by has changed since: files as the kernel describes them, and variables.

Nothing is read and nothing hashed but the variables, whose values may be secrets and are kept nowhere.
"""

from __future__ import annotations

import os

from devbox import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

try:
    from _sha2 import sha256  # type: ignore[import-not-found]  # 3.12; hashlib takes longer than all else here
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]  # 3.11
    except ImportError:
        from hashlib import sha256

_PREFIXES = ("DEVBOX_", "DOCKER_", "CONTAINER", "SSL_")
# Not all of XDG_*: XDG_SESSION_ID and the like differ from one terminal to the next.
_XDG = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
_NAMES = frozenset(("HOME", "TZ", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", *_XDG))
NO_HOT = "DEVBOX_NO_HOT"  # set to anything: the hot path is not taken
FAULT = "DEVBOX_FAULT"  # a fault that a test asks for
_DECIDE_NOTHING = (NO_HOT, FAULT)
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALLED = ("site-packages", "dist-packages")
_IS_DIRECTORY = 0o040000
_KIND = 0o170000


def short_hash(text: str) -> str:
    """Return the first 8 hex digits of the SHA-256 of `text`; the same as `devbox.values.short_hash`."""
    return _digest(text)[:8]


def workspace_hash(path: str, machine: str = "") -> str:
    """Return what names the Workspace at `path`, or its `machine`; the same as `devbox.values.workspace_hash`."""
    return short_hash(f"{path}\0{machine}" if machine else path)


def around(environ: Mapping[str, str], *, uid: int, gid: int) -> str:
    """Return a digest (64 hex) of all that decides and is no input file: user, variables, and this very devbox."""
    lines = [f"{name}={value}" for name, value in sorted(environ.items()) if _decides(name)]
    text = "\0".join((__version__, _package(), str(uid), str(gid), *lines))
    return _digest(text)


def _digest(text: str) -> str:
    digest: str = sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return digest


def _decides(name: str) -> bool:
    return name in _NAMES or (name.startswith(_PREFIXES) and name not in _DECIDE_NOTHING)


def state(path: str) -> str:
    """Return what `path` is, as text; empty if it is not there.

    Of a directory that is what it is itself, not what lies in it; unless `path` ends with "/".
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    who = f"{found.st_mode} {found.st_uid} {found.st_gid} {found.st_ino}"
    if found.st_mode & _KIND == _IS_DIRECTORY and not path.endswith("/"):
        return who
    return f"{who} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def changed_at(path: str) -> int:
    """Return when `state(path)` became what it is, in nanoseconds; 0 if that is not known or it is not there."""
    values = state(path).split(" ")
    return int(values[6]) if len(values) > 6 else 0


def states(paths: Iterable[str]) -> list[str]:
    """Return each of `paths` and its state, one after the other, as `unchanged` takes them."""
    return [text for path in paths for text in (path, state(path))]


def unchanged(known: Sequence[str]) -> bool:
    """Whether every path of `known` (made by `states`) is as it was."""
    return all(state(path) == then for path, then in zip(known[::2], known[1::2], strict=True))


def _package() -> str:
    """Return the state of devbox's own code; an editable install keeps its version number while it is edited."""
    if os.path.basename(os.path.dirname(_PACKAGE)) in _INSTALLED:
        return f"{_PACKAGE} {state(_PACKAGE + '/__init__.py')}"
    return f"{_PACKAGE} {_newest(_PACKAGE)}"


def _newest(directory: str) -> int:
    newest = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    newest = max(newest, _newest(entry.path))
            elif entry.name.endswith((".py", ".c", ".h")):
                newest = max(newest, entry.stat().st_mtime_ns)
    return newest
