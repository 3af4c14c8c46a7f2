"""Where the agent of an Environment lies on this host."""

import os
from pathlib import Path

from devbox import paths
from devbox.agent import program, wire
from devbox.runtimes.base import AgentSpec
from devbox.runtimes.container.delivery import architecture
from devbox.workspace.context import Host, Workspace
from devbox.workspace.state import fallback_directory


def agent_spec(host: Host, workspace: Workspace, *, failed: bool = False, here: bool = False) -> AgentSpec:
    """Return the agent of the Workspace's Instance, or of that of `shell --failed`. Makes nothing in it.

    `here`: the Instance is on this host, wherever its engine is.

    `RuntimeUnavailableError` if there is no agent for the engine's architecture. The paths are real ones, since an
    engine mounts no others. Where state cannot be written they lie with the lock's fallback. There are none where the
    engine would not find them.
    """
    build, info = program.build_id(), host.engine.info
    arch = architecture(info.architecture)
    remote = AgentSpec(build=build, protocol=wire.VERSION)
    if not info.shares_host and not here:
        return remote
    if _usable(workspace.state_directory):
        place = paths.agent_program(build, arch)
        known = paths.failed_agent_directory if failed else paths.agent_directory
        directory = known(workspace.hash)
    else:
        root = fallback_directory(host)
        place = str(root / f"agent-{build}-{arch}")
        directory = str(root / f"{workspace.hash}.agent{'-failed' if failed else ''}")
    place, directory = os.path.realpath(place), os.path.realpath(directory)
    if not here and not info.shares_root and not (mounted_alike(place) and mounted_alike(directory)):
        return remote
    return AgentSpec(build=build, protocol=wire.VERSION, program=place, directory=directory)


def mounted_alike(path: str, *, table: str = "/proc/self/mountinfo") -> bool:
    """Whether an engine outside of our container probably has at `path` what we have there: the mount says so.

    A bind mount of the same place ends with the directory that it shows (proc(5): field 4 is that, field 5 where).
    """
    try:
        lines = Path(table).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    mounts = [(words[4], words[3]) for words in map(str.split, lines) if len(words) > 4]
    around = [mount for mount in mounts if f"{path}/".startswith(mount[0].rstrip("/") + "/")]
    where, shown = max(around, key=lambda mount: len(mount[0]), default=("/", "/"))
    return where != "/" and where.endswith(shown)


def _usable(directory: str) -> bool:
    try:
        found = Path(paths.private_directory(directory))
    except OSError:
        return False
    return os.access(found, os.W_OK | os.X_OK)
