"""Files of the repo put into the environment. Pure.

What lands in the user's home belongs to the user, everything else to root, as it would in a Dockerfile.
"""

import shlex
from posixpath import dirname

from devbox.values import GuestUser


def copy_lines(origin: str, target: str, user: GuestUser, *, directory: bool) -> list[str]:
    """Return lines that put `origin` (a word of the shell, of files that may change their owner) at `target`.

    A directory's content goes into `target`, which may exist; a file goes to `target`, or into it if it ends
    with "/". Modes and links are kept.
    """
    place = target.rstrip("/") if directory else target
    into = place if directory or target.endswith("/") else dirname(place)
    lines = [*_parents(into, user), f"chown -R -h {_owner(target, user)} {origin}"]
    if directory:
        return [*lines, f"cp -a {origin}/. {shlex.quote(place)}/"]
    return [*lines, f"cp -a {origin} {shlex.quote(place)}"]


def _is_home(path: str, user: GuestUser) -> bool:
    return not user.is_root and (path.rstrip("/") + "/").startswith(user.home + "/")


def _owner(path: str, user: GuestUser) -> str:
    return f"{user.uid}:{user.gid}" if _is_home(path, user) else "0:0"


def _parents(path: str, user: GuestUser) -> list[str]:
    if not _is_home(path, user):
        return [f"mkdir -p {shlex.quote(path)}"]
    parts = path[len(user.home) :].strip("/").split("/")
    below = [f"{user.home}/{'/'.join(parts[: count + 1])}" for count in range(len(parts)) if parts[0]]
    owner = f"{user.uid}:{user.gid}"
    return [f"[ -d {each} ] || {{ mkdir {each}; chown {owner} {each}; }}" for each in map(shlex.quote, below)]
