"""Where the Lock of a Workspace stands, and whether it still fits.

Beside the profile, as `devbox.lock`, for everybody. What somebody adds for himself (his own layers, variables, flags)
and what stands for a missing profile must not get into it: then the Lock is kept in devbox's state, begun from the
project's own.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from devbox import paths, record
from devbox.build.inputs import Inputs
from devbox.build.layout import asked_for
from devbox.errors import LockInvalidError, LockStaleError, Problem, ProfileError, UsageError
from devbox.faults import fault
from devbox.profile.load import Loaded, Origin
from devbox.profile.lock import Lock, Platform
from devbox.profile.lock_file import parse, render
from devbox.profile.model import Profile
from devbox.profile.source import Refused, read_file
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile
from devbox.workspace.files import write_in_project

_PERSONAL = ("user", paths.LOCAL_PROFILE, "flag")
_OWN_WORDS = {"user": "your own layer", "flag": "the command line"}
_LOCKED = ("base", "packages", "user.shell")  # keys whose values the Lock depends on
_SEED = "# begun from "
_SIZE_MAX = 20_000_000  # bytes; an answer may hold the whole list of a language's packages
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "arm": "armhf",
    "i686": "i386",
    "386": "i386",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockBook:
    """The Lock of one Workspace as a file. `shared`: it is the project's own.

    Of several machines each has its part in it, but for one that is made of what the project's own environment is.
    `machines`: which there are, so that others are dropped from it; None if that is not known.
    """

    host: Host
    workspace: Workspace
    shared: bool
    machines: tuple[str, ...] | None = None

    @property
    def path(self) -> Path:
        """The project's own file."""
        return self.workspace.directory / paths.LOCK

    def read(self) -> Lock | None:
        """Return the Lock; None if there is none. Raises `LockInvalidError` for a file that cannot be one."""
        own = self._own()
        if self.shared:
            return self._part(own)
        try:
            seed, _, text = Path(paths.private_lock(self.workspace.hash)).read_text(encoding="utf-8").partition("\n")
            if seed == _seed(own):
                return parse(text)
        except (OSError, UnicodeDecodeError, LockInvalidError):
            pass  # it is a cache: what cannot be used is made anew
        return self._part(own)

    def _part(self, own: str | None) -> Lock | None:
        """Return what the project's file has for this Workspace; for a machine of which it has nothing, a start."""
        if own is None:
            return None
        whole, machine = parse(own), self.workspace.machine
        if machine in whole.machines:
            return whole.machines[machine]
        first = _alike(whole) if machine else replace(whole, machines={})
        return first if first.platforms or not whole.machines else None  # not yet: a machine's came first

    def renewable(self) -> Lock | None:
        """Return the Lock that is to be written anew: None also for a damaged one, which is said."""
        try:
            return self.read()
        except LockInvalidError as error:
            if error.newer:
                raise
            said = "; ".join(problem.message for problem in error.problems) or error.message
            self.host.reporter.warn(f"{paths.LOCK} is written anew: {said}")
            return None

    def write(self, lock: Lock) -> dict[str, str]:
        """Keep `lock`; return what was written into the project, by path. What is there already is not written."""
        if self.shared:
            return self._write_shared(render(self._whole(lock)))
        text = render(lock)
        path = paths.private_lock(self.workspace.hash)
        whole = f"{_seed(self._own())}\n{text}"
        try:
            if not os.path.exists(path) or Path(path).read_text(encoding="utf-8") != whole:  # noqa: PTH110 (paths are text)
                paths.private_directory(self.workspace.state_directory)
                record.write_text(path, whole)
        except OSError as error:
            self.host.reporter.debug(f"{path} cannot be written: {error}")
        return {}

    def _whole(self, lock: Lock) -> Lock:
        """Return the project's whole Lock, with `lock` in its place."""
        whole, machine = Lock(), self.workspace.machine
        with suppress(LockInvalidError):  # it is written anew
            whole = parse(own) if (own := self._own()) is not None else whole
        kept = {name: one for name, one in whole.machines.items() if self.machines is None or name in self.machines}
        if not machine:
            return replace(lock, machines=kept)
        kept.pop(machine, None)
        return replace(whole, machines=kept if lock == _alike(whole) else {**kept, machine: lock})

    def _write_shared(self, text: str) -> dict[str, str]:
        with suppress(LockInvalidError):  # only `renewable` lets one come here, to be replaced
            if self._own() == text:
                return {}
        try:
            fault("write lock")
            write_in_project(self.path, text)
            fault("lock written")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self.host.reporter.warn(f"{self.path} cannot be written: {why}; the environment is not locked")
            return {}
        return {str(self.path): text}

    def _own(self) -> str | None:
        if not os.path.lexists(self.path):
            return None
        try:
            content = read_file(
                self.path, shown=paths.LOCK, below=self.workspace.directory, kind="lock", limit=_SIZE_MAX
            )
            return content.decode("utf-8")
        except Refused as refused:
            hint = "take the file from version control again"
            raise LockInvalidError(f"{paths.LOCK} cannot be read", hint=hint, problems=[refused.problem]) from refused
        except UnicodeDecodeError as error:
            raise LockInvalidError(
                f"{paths.LOCK} is not UTF-8", hint="take the file from version control again"
            ) from error


def _alike(whole: Lock) -> Lock:
    """Return the Lock of a machine that is made of the same as the project's own; what came of it may differ."""
    platforms = {name: replace(one, content="") for name, one in whole.platforms.items()}
    return replace(whole, platforms=platforms, machines={})


def lock_digest(host: Host, workspace: Workspace) -> str:
    """Return a digest of what the project's devbox.lock says for this engine's machines; empty if it says nothing.

    Raises `LockInvalidError`.
    """
    lock = LockBook(host=host, workspace=workspace, shared=True).read()
    platform = lock.platforms.get(architecture(host.engine.info.architecture)) if lock else None
    return "" if platform is None else platform_digest(platform)


def platform_digest(platform: Platform) -> str:
    """Return a digest (64 hex) of what `platform` leads to."""
    text = render(Lock(platforms={"here": replace(platform, content="")}))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def lock_book(host: Host, workspace: Workspace, loaded: Loaded) -> LockBook:
    """Return the LockBook for what `loaded` says."""
    machines = tuple(name for name in (*loaded.members, loaded.machine) if name)
    shared = has_profile(workspace) and not personal(loaded)
    return LockBook(host=host, workspace=workspace, shared=shared, machines=machines)


def personal(loaded: Loaded) -> bool:
    """Whether something that the Lock depends on was set by somebody for himself."""
    whole = loaded.members.get("")
    declared = whole.origins[f"machines.{loaded.machine}"] if whole else None
    if declared is not None and _is_own(declared):
        return True
    return any(_is_own(origin) and _locks(key) for key, origin in loaded.origins.items())


def require_shared(workspace: Workspace, loaded: Loaded) -> None:
    """Raise unless what is to be made is what everybody gets: `ProfileError` without a profile, else `UsageError`."""
    if not has_profile(workspace):
        raise ProfileError(f"there is no {paths.PROFILE}, so nothing is locked", hint="write a profile: devbox init")
    own = {key: origin for key, origin in loaded.origins.items() if _is_own(origin) and _locks(key)}
    if own:
        problems = [
            Problem(
                message=f"is set for you alone, by {_OWN_WORDS.get(origin.source, origin.source)}",
                key=key,
                file=origin.file,
                line=origin.line,
            )
            for key, origin in own.items()
            if not any(other.startswith((f"{key}.", f"{key}[")) for other in own)
        ]
        raise UsageError(
            f"{paths.LOCK} is for what everybody gets, and here somebody's own settings decide as well",
            hint=f"leave --locked out, or put these settings into {paths.PROFILE} and run: devbox lock",
            problems=problems,
        )


def _is_own(origin: Origin) -> bool:
    return origin.source in _PERSONAL or origin.source.startswith("DEVBOX_")


def _locks(key: str) -> bool:
    return any(key == name or key.startswith((f"{name}.", f"{name}[")) for name in _LOCKED)


def profile_digest(profile: Profile) -> str:
    """Return the digest (64 hex) of what the Lock depends on in a profile."""
    whole = profile.model_dump(mode="json", by_alias=True, include={"base", "packages"}, exclude_none=True)
    text = json.dumps([whole, profile.user.shell], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def input_digests(inputs: Inputs) -> dict[str, str]:
    """Return the digest of what is read from each manifest, by path; scripts and copied files are not locked."""
    return {
        file.path: file.digest
        for key, group in sorted(inputs.groups.items())
        if key.startswith("packages.")
        for file in group
    }


def architecture(machine: str) -> str:
    """Return the Lock's name of an architecture: Debian's."""
    return _ARCHITECTURES.get(machine, machine)


def why_stale(lock: Lock | None, profile: Profile, inputs: Mapping[str, str], *, platform: str) -> tuple[Problem, ...]:
    """Return in which points `lock` does not fit; none if it does. Pure."""
    if lock is None:
        return (Problem(message="there is none", file=paths.LOCK),)
    if platform not in lock.platforms:
        message = f"has nothing for {platform}"
        return (Problem(message=message, file=paths.LOCK, hint="run devbox lock on such a machine"),)
    return (*_profile_changes(lock, profile, platform), *_input_changes(lock, inputs))


def _profile_changes(lock: Lock, profile: Profile, platform: str) -> Iterator[Problem]:
    if lock.profile == profile_digest(profile):
        return
    known = lock.platforms[platform]
    new = sorted(set(profile.packages.system) - asked_for(known.groups))
    if new:
        yield Problem(message=f"{', '.join(new)} is not locked", key="packages.system")
    elif known.base is not None and profile.base.image not in (None, known.base.reference):
        yield Problem(message=f"the lock is for {known.base.reference}", key="base.image")
    else:
        yield Problem(message="base or packages of the profile have changed", key="packages")


def _input_changes(lock: Lock, inputs: Mapping[str, str]) -> Iterator[Problem]:
    for path in sorted({*lock.inputs, *inputs}):
        before, after = lock.inputs.get(path), inputs.get(path)
        if before != after:
            what = "is new" if before is None else "is gone" if after is None else "has changed"
            yield Problem(message=f"{what} since it was locked", file=path)


def refuse_stale(problems: tuple[Problem, ...]) -> None:
    """Raise `LockStaleError` if there is a reason."""
    if problems:
        hint = "bring it up to date and commit it: devbox lock"
        raise LockStaleError(f"{paths.LOCK} does not fit the profile", problems=problems, hint=hint)


def _seed(own: str | None) -> str:
    return _SEED + (hashlib.sha256(own.encode()).hexdigest() if own is not None else "nothing")
