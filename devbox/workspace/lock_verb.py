"""`lock`: bring `devbox.lock` up to date, look whether it is, renew or fold what it has."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from devbox import paths
from devbox.build.layout import asked_for, folded, renewed
from devbox.build.manifests import read_inputs
from devbox.build.steps.apt import plain
from devbox.errors import ProfileError, UsageError
from devbox.profile.lock import Lock, Platform
from devbox.workspace.base_disk import require_pinned, require_sense
from devbox.workspace.build import Wish, make_image
from devbox.workspace.checked import checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile, load_profile
from devbox.workspace.located import located
from devbox.workspace.locks import LockBook, architecture, input_digests, refuse_stale, why_stale
from devbox.workspace.state import locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocked:
    """What `lock` did. `built`: names of the steps that ran, since what they give has to be asked there."""

    changed: bool
    path: str
    built: tuple[str, ...] = ()


def lock(host: Host, workspace: Workspace) -> Relocked:
    """Make devbox.lock fit the profile; what fits already stays as it is."""
    return _relock(host, workspace, "devbox lock", Wish)


def check(host: Host, workspace: Workspace) -> None:
    """Raise `LockStaleError` unless devbox.lock fits profile and manifests. Asks no engine and changes nothing."""
    _require_profile(workspace)
    loaded = load_profile(host, workspace, personal=False)
    with located(loaded):
        if loaded.profile.base.disk is not None:
            require_sense(loaded)
            require_pinned(loaded)
            return
        inputs = read_inputs(loaded.profile, workspace.directory)
        known = _book(host, workspace).read()
        here = architecture(platform.machine())
        refuse_stale(why_stale(known, loaded.profile, input_digests(inputs), platform=here))


def update(host: Host, workspace: Workspace, names: Sequence[str] = ()) -> Relocked:
    """Look up what there is today: everything with a newer base, or the packages and languages `names` alone.

    Raises `UsageError` for a name that devbox.lock does not have.
    """
    if not names:
        return _relock(host, workspace, "devbox lock --update", lambda: Wish(fresh=True, anew=True, revise=_forget))

    def wish() -> Wish:
        known = _book(host, workspace).read() or Lock()
        here = architecture(host.engine.info.architecture)
        return Wish(anew=True, revise=_renewal(known.platforms.get(here, Platform()), names))

    return _relock(host, workspace, "devbox lock --update", wish)


def compact(host: Host, workspace: Workspace) -> Relocked:
    """Fold the groups in which system packages were added into one; no version changes."""
    return _relock(host, workspace, "devbox lock --compact", lambda: Wish(revise=_fold))


def _relock(host: Host, workspace: Workspace, command: str, wish: Callable[[], Wish]) -> Relocked:
    _require_profile(workspace)
    ready = checked(host, workspace, personal=False)
    if ready.loaded.profile.base.disk is not None:
        require_pinned(ready.loaded)
        host.reporter.note("the base is a disk, which its sha256 pins; there is nothing else to lock")
        return Relocked(changed=False, path=str(workspace.directory / paths.LOCK))
    with located(ready.loaded), locked(host, workspace, command):
        made = make_image(host, workspace, ready, wish())
    return Relocked(changed=bool(made.written), path=str(workspace.directory / paths.LOCK), built=made.built.run)


def _book(host: Host, workspace: Workspace) -> LockBook:
    return LockBook(host=host, workspace=workspace, shared=True)


def _require_profile(workspace: Workspace) -> None:
    if not has_profile(workspace):
        raise ProfileError(
            f"there is no {paths.PROFILE}, so there is nothing to lock", hint="write a profile: devbox init"
        )


def _forget(known: Platform) -> Platform:
    return Platform(base=known.base)


def _fold(known: Platform) -> Platform:
    return replace(known, groups=folded(known.groups), steps=())


def _renewal(known: Platform, names: Sequence[str]) -> Callable[[Platform], Platform]:
    """Return what forgets `names`: system packages, asked for or not, and languages or their parts."""
    packages = {one.name for group in known.groups for one in group.packages} | set(map(plain, asked_for(known.groups)))
    languages = {key.partition(".")[0] for key in known.answers}
    unknown = [name for name in names if name not in packages | languages | set(known.answers)]
    if unknown:
        near = get_close_matches(unknown[0], sorted(packages | languages), n=1)
        hint = f"did you mean {near[0]}?" if near else "see what it has: devbox.lock"
        raise UsageError(f"{paths.LOCK} has no {', '.join(unknown)}", hint=hint)

    def revise(platform: Platform) -> Platform:
        answers = {key: answer for key, answer in platform.answers.items() if not _is_meant(key, names)}
        return replace(platform, groups=renewed(platform.groups, names), answers=answers)

    return revise


def _is_meant(key: str, names: Sequence[str]) -> bool:
    return key in names or key.partition(".")[0] in names
