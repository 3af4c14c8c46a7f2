"""What is looked at before anything is made: the directory, the profile, this version, trust, the runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from devbox.errors import Problem, ProfileError
from devbox.profile.asks import Grants
from devbox.profile.confine import real
from devbox.profile.gate import require_supported
from devbox.profile.load import Loaded
from devbox.runtimes.base import Runtime, not_in_machine
from devbox.runtimes.container.runtime import unshared
from devbox.sync.core.ignore import Ignore
from devbox.values import parse_size, printable
from devbox.vm import host_memory, share
from devbox.workspace.base_disk import require_sense
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import has_profile, load_profile
from devbox.workspace.find import backend
from devbox.workspace.locate import require_usable
from devbox.workspace.spec import excess
from devbox.workspace.sync_order import MOUNT, mode
from devbox.workspace.trusted import agreed


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A profile that may be carried out here, what it gets of the host, and the runtime that it asks for."""

    loaded: Loaded
    grants: Grants
    runtime: Runtime
    mode: str  # how the project's files get inside: "mount", or as in `[sync] mode`


def checked(
    host: Host, workspace: Workspace, *, flags: Mapping[str, object] | None = None, personal: bool = True
) -> Checked:
    """Return the profile, ready to be carried out; every refusal comes from here, and nothing has been made yet."""
    require_usable(workspace, host)
    loaded = load_profile(host, workspace, flags=flags, personal=personal)
    if not has_profile(workspace):
        host.reporter.note("there is no devbox.toml; this is what devbox init would write, and nothing is written")
    require_supported(loaded)
    require_sense(loaded)
    grants = agreed(host, workspace, loaded)
    _require_mounts(workspace, loaded)
    runtime = backend(host, loaded.profile.runtime)
    runtime.check()
    way = mode(loaded.profile.sync, runtime.features)
    _require_shared(host, workspace, loaded, runtime, way)
    _require_memory(loaded, runtime)
    _require_no_rules(loaded, way)
    _require_patterns(loaded)
    for sentence in excess(loaded.profile, host.engine.info, host.cpus):
        host.reporter.warn(sentence)
    return Checked(loaded=loaded, grants=grants, runtime=runtime, mode=way)


def _require_shared(host: Host, workspace: Workspace, loaded: Loaded, runtime: Runtime, way: str) -> None:
    """Raise `RuntimeUnavailableError` for a mount on an engine that does not see this host's files."""
    if runtime.features.bind_mounts:
        return
    if runtime.features.own_kernel:
        _require_nothing_mounted(host, workspace, loaded, way)
        _require_no_devices(loaded)
        return
    url = host.engine.info.url
    if way == MOUNT:
        raise unshared(url, str(workspace.directory), hint='sync it instead: [sync] mode = "two-way" in devbox.toml')
    for mount in loaded.profile.mounts:
        raise unshared(url, str(real(workspace.directory, mount.source)))


def _require_nothing_mounted(host: Host, workspace: Workspace, loaded: Loaded, way: str) -> None:
    """Raise `RuntimeUnavailableError` for a mount in a machine, which has a file system of its own.

    The project itself can be shared with it live, if it is devbox's own; `MachineError` if this host cannot do that.
    """
    if way == MOUNT and loaded.profile.base.disk:
        hint = 'sync it instead: [sync] mode = "two-way" in devbox.toml'
        raise not_in_machine(str(workspace.directory), hint=hint)
    if way == MOUNT:
        share.require(host.processes, str(workspace.directory))
    for mount in loaded.profile.mounts:
        raise not_in_machine(str(real(workspace.directory, mount.source)))


def _require_no_devices(loaded: Loaded) -> None:
    """Raise `ProfileError` for devices of the host, which a machine does not have."""
    resources = loaded.profile.resources
    asked = {"resources.devices": resources.devices, "resources.gpus": resources.gpus}
    problems = []
    for key, value in asked.items():
        if value:
            origin = next((one for name, one in loaded.origins.items() if name.startswith(key)), None)
            problems.append(
                Problem(
                    message="a machine has no device of this host",
                    key=key,
                    file=origin.file if origin else None,
                    line=origin.line if origin else None,
                    hint='take it out, or write runtime = "container"',
                )
            )
    if problems:
        raise ProfileError("the profile asks for what a machine cannot have", problems=problems)


def _require_memory(loaded: Loaded, runtime: Runtime) -> None:
    """Raise `MachineError` for a machine with more memory than this host has, or too little for any."""
    memory = loaded.profile.resources.memory
    if runtime.features.own_kernel and memory:
        host_memory.require(parse_size(memory), "the machine")


def _require_no_rules(loaded: Loaded, way: str) -> None:
    """Raise `ProfileError` for rules that nobody would carry out: under a mount no file is looked at."""
    if way != MOUNT or not loaded.profile.sync.on_change:
        return
    origin = next((one for key, one in loaded.origins.items() if key.startswith("sync.on_change")), None)
    problem = Problem(
        message="has to do with files that are synced, and these are mounted",
        key="sync.on_change",
        file=origin.file if origin else None,
        line=origin.line if origin else None,
        hint='take it out, or write mode = "two-way"',
    )
    raise ProfileError("the profile asks for what happens under a sync alone", problems=[problem])


def _require_patterns(loaded: Loaded) -> None:
    """Raise `ProfileError` with every pattern of `[sync]` that cannot be one, and hence would stand for nothing."""
    sync = loaded.profile.sync
    lists = {"ignore": sync.ignore, "allow": sync.allow}
    lists |= {f"on_change[{number}].paths": rule.paths for number, rule in enumerate(sync.on_change)}
    found = []
    for name, patterns in lists.items():
        for problem in Ignore(profile=patterns).problems:
            key = (problem.key or "").replace("sync.ignore", f"sync.{name}", 1)
            origin = loaded.origins.get(key)
            where = (origin.file, origin.line) if origin else (None, None)
            found.append(replace(problem, key=key, file=where[0], line=where[1]))
    if found:
        raise ProfileError("the profile has patterns that match nothing", problems=found)


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
