"""The profile that a Workspace has, or that `init` would write for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from devbox import paths
from devbox.profile.load import Loaded, load
from devbox.profile.outside import wanted_versions
from devbox.profile.several import require_name
from devbox.workspace.context import Host, Workspace

if TYPE_CHECKING:
    from devbox.profile.detect import Detection, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A profile that fits a repo. `seen`: what led to it, in words."""

    text: str
    seen: tuple[str, ...]


def has_profile(workspace: Workspace) -> bool:
    """Whether the project has a devbox.toml, be it a link that leads nowhere."""
    path = workspace.directory / paths.PROFILE
    return path.is_symlink() or path.exists()


def load_profile(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, personal: bool = True
) -> Loaded:
    """Return the effective profile; in a project without one, of what `init` would write (nothing is written).

    `personal`: False leaves out what the user sets for himself. Raises `ProfileError` with everything that is wrong in
    any layer, and what `look` raises. What the user should know is a warning. Of a machine that is gone: `UsageError`.
    """
    loaded = read_profile(host, workspace, flags=flags, personal=personal)
    for problem in loaded.warnings:
        place = ":".join(str(part) for part in (problem.file, problem.line) if part is not None)
        host.reporter.warn(": ".join(part for part in (place, problem.key, problem.message) if part))
    return loaded


def read_profile(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, personal: bool = True
) -> Loaded:
    """Return what `load_profile` returns and warn of nothing: for who looks into it before a verb that will."""
    fallback = None if has_profile(workspace) else suggest(host, workspace).text
    whole = load(workspace.directory, environ=host.environ, flags=flags, fallback=fallback, personal=personal)
    if not workspace.machine:
        return whole
    require_name(workspace.machine, whole.members)
    return replace(whole.members[workspace.machine], members={"": whole, **whole.members})


def look(host: Host, workspace: Workspace) -> "Detection":
    """Return what the project is made of. Raises `UndetectableError` or `ContradictionError` if that is not enough."""
    from devbox.profile.detect import detect, require_clear  # lazy: a project with a profile needs none of it

    found = detect(workspace.directory, wanted=wanted_versions(host.environ))
    require_clear(found)
    return found


def suggest(host: Host, workspace: Workspace, base: str | None = None) -> Suggestion:
    """Return what `init` would write; `base` is a base profile's name, or an image. `UsageError` if it is neither.

    Without `base` it raises what `look` does; with it, what cannot be used stands in the profile as a comment.
    """
    from devbox.profile.detect import detect, render, render_for  # lazy, as in `look`

    if base is None:
        found = look(host, workspace)
        text = render(found)
    else:
        found = detect(workspace.directory, wanted=wanted_versions(host.environ))
        text = render_for(base, found)
    return Suggestion(text=text, seen=tuple(_words(evidence) for evidence in found.evidence))


def _words(evidence: "Evidence") -> str:
    return f"{evidence.place}: {evidence.what}"
