"""What is looked at before anything is made: the directory, the profile, this version, trust, the runtime."""

from collections.abc import Mapping
from dataclasses import dataclass

from devbox.errors import Problem, ProfileError
from devbox.profile.asks import Grants
from devbox.profile.confine import real
from devbox.profile.gate import require_supported
from devbox.profile.load import Loaded
from devbox.runtimes.base import Runtime
from devbox.runtimes.container.runtime import unshared
from devbox.values import printable
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile, load_profile
from devbox.workspace.find import backend
from devbox.workspace.locate import require_usable
from devbox.workspace.spec import excess
from devbox.workspace.trusted import agreed


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A profile that may be carried out here, what it gets of the host, and the runtime that it asks for."""

    loaded: Loaded
    grants: Grants
    runtime: Runtime


def checked(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, personal: bool = True
) -> Checked:
    """Return the profile, ready to be carried out; every refusal comes from here, and nothing has been made yet."""
    require_usable(workspace, host)
    loaded = load_profile(host, workspace, flags=flags, personal=personal)
    if not has_profile(workspace):
        host.reporter.note("there is no devbox.toml; this is what devbox init would write, and nothing is written")
    require_supported(loaded)
    grants = agreed(host, workspace, loaded)
    _require_mounts(workspace, loaded)
    runtime = backend(host, loaded.profile.runtime)
    runtime.check()
    if not runtime.features.bind_mounts:
        raise unshared(host.engine.info.url, str(workspace.directory))
    for sentence in excess(loaded.profile, host.engine.info):
        host.reporter.warn(sentence)
    return Checked(loaded=loaded, grants=grants, runtime=runtime)


def _require_mounts(workspace: Workspace, loaded: Loaded) -> None:
    """Raise `ProfileError` with every source of [[mounts]] that is not there: no engine may make it, as root (S-16)."""
    problems = []
    for index, mount in enumerate(loaded.profile.mounts):
        if not real(workspace.directory, mount.source).exists():
            origin = loaded.origins.get(f"mounts[{index}].source")
            problems.append(
                Problem(
                    message=f'"{printable(mount.source)}" does not exist',
                    key=(origin.key if origin else None) or f"mounts[{index}].source",
                    file=origin.file if origin else None,
                    line=origin.line if origin else None,
                    hint="make it, or take the mount out",
                )
            )
    if problems:
        raise ProfileError("the profile mounts what is not there", problems=problems)
