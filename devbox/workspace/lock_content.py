"""The digest of what was built from devbox.lock, in it: taken by whoever recorded it, compared by everybody else."""

from dataclasses import replace

from devbox import paths
from devbox.errors import StateError
from devbox.profile.lock import Lock
from devbox.workspace.locks import LockBook


def recorded(book: LockBook, machine: str) -> str:
    """Return the digest that the Lock has for `machine` ("amd64"), empty if nobody recorded one."""
    lock = book.read()
    platform = lock.platforms.get(machine) if lock else None
    return platform.content if platform else ""


def record(book: LockBook, machine: str, digest: str) -> bool:
    """Put `digest` into the Lock, which has `machine`; return whether it was not there before.

    `StateError` if the Lock cannot be written.
    """
    lock = book.read()
    if lock is None or machine not in lock.platforms:
        raise StateError(f"{paths.LOCK} could not be written, so there is nothing to record in", hint="devbox lock")
    if lock.platforms[machine].content == digest:
        return False
    changed = replace(lock.platforms[machine], content=digest)
    book.write(replace(lock, platforms={**lock.platforms, machine: changed}))
    if recorded(book, machine) != digest:
        raise StateError(f"{paths.LOCK} cannot be written", hint="look at the rights of the project's directory")
    return True


def without_stale_content(lock: Lock, before: Lock, machine: str) -> Lock:
    """Return `lock`, without the digest of `machine` if anything that it was made of is another than `before`."""
    now, then = lock.platforms[machine], before.platforms.get(machine)
    same = then is not None and replace(now, content="") == replace(then, content="")
    if same and (lock.profile, lock.inputs) == (before.profile, before.inputs):
        return lock
    return replace(lock, platforms={**lock.platforms, machine: replace(now, content="")})
