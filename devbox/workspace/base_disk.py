"""A profile whose base is a disk that somebody else has made: what it may ask for, and where the disk comes from."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from devbox.errors import LockStaleError, Problem, ProfileError, UsageError
from devbox.profile.confine import real
from devbox.profile.load import Loaded
from devbox.profile.model import Base, Profile
from devbox.values import printable

_KEY: Final = "base.disk"
_SCHEMES: Final = ("http", "https")
_UNPINNED: Final = "is not there, so whatever lies at that path would be taken"


def place(base: Base, directory: Path) -> str | None:
    """Return where the disk of `base` comes from, an absolute path or an address; None if it is none. Pure but links.

    `directory`: the project.
    """
    if base.disk is None:
        return None
    return base.disk if "://" in base.disk else str(real(directory, base.disk))


def require_sense(loaded: Loaded) -> None:
    """Raise `ProfileError` with every key that says something about an image, where the base is a disk."""
    profile = loaded.profile
    if profile.base.disk is None:
        return
    problems = [_placed(problem, loaded) for problem in (*_about_base(profile), *_about_image(profile))]
    if problems:
        raise ProfileError(
            "the base is a disk, and devbox builds nothing into one",
            problems=problems,
            hint='take out what it cannot have; or have an image as the base: base.image = "debian:12"',
        )


def require_pinned(loaded: Loaded) -> None:
    """Raise `LockStaleError` unless the profile says which disk it is to be: there is nothing else to lock."""
    if loaded.profile.base.disk is not None and loaded.profile.base.sha256 is None:
        problem = _placed(Problem(message=_UNPINNED, key="base.sha256"), loaded)
        hint = 'write its digest: sha256 = "...", as devbox build says it'
        raise LockStaleError("the base is a disk that nothing pins", problems=[problem], hint=hint)


def require_image(loaded: Loaded, verb: str) -> None:
    """Raise `UsageError` for a verb that works on images, where there is none."""
    if loaded.profile.base.disk is not None:
        raise UsageError(
            f"{verb} is about the image that a profile describes, and base.disk is none",
            hint="work in the machine itself: devbox shell",
        )


def _about_base(profile: Profile) -> Iterator[Problem]:
    base = profile.base
    assert base.disk is not None, "asked for a disk alone"
    if profile.runtime != "vm":
        yield Problem(message=f'a disk is of a machine; write runtime = "vm", not "{profile.runtime}"', key=_KEY)
    if "://" in base.disk:
        scheme = urlsplit(base.disk).scheme
        if scheme not in _SCHEMES:
            yield Problem(message=f"{printable(scheme)} is none of {', '.join(_SCHEMES)}", key=_KEY)
        if base.sha256 is None:
            yield Problem(message="is required for a disk that is fetched", key="base.sha256")


def _about_image(profile: Profile) -> Iterator[Problem]:
    message = "is installed into an image, and there is none"
    for name in type(profile.packages).model_fields:
        if getattr(profile.packages, name):
            yield Problem(message=message, key=f"packages.{name}")
    for number, step in enumerate(profile.provision):
        if step.when == "build":
            hint = 'run it inside once: when = "create"'
            yield Problem(message="is built into an image, and there is none", key=f"provision[{number}]", hint=hint)
    if profile.vm.init != "full":
        yield Problem(message="the disk has a system of its own, which starts as it likes", key="vm.init")


def _placed(problem: Problem, loaded: Loaded) -> Problem:
    """Return `problem` with the place in the profile; of what is not there, of the table."""
    key = problem.key or ""
    found = [
        origin for name, origin in loaded.origins.items() if name == key or name.startswith((f"{key}.", f"{key}["))
    ]
    found = found or [origin for name, origin in loaded.origins.items() if name == _KEY]
    return replace(problem, file=found[0].file, line=found[0].line) if found else problem
