"""Where the agent of an Environment lies on this host."""

import os
from pathlib import Path

from devbox import paths
from devbox.agent import program, wire
from devbox.runtimes.base import AgentSpec
from devbox.runtimes.container.delivery import architecture
from devbox.workspace.context import Host, Workspace
from devbox.workspace.state import fallback_directory


def agent_spec(host: Host, workspace: Workspace, *, failed: bool = False) -> AgentSpec:
    """Return the agent of the Workspace's Instance, or of that of `shell --failed`. Makes nothing in it.

    `RuntimeUnavailableError` if there is no agent for the engine's architecture. The paths are real ones, since an
    engine mounts no others. Where state cannot be written they lie with the lock's fallback.
    """
    build, info = program.build_id(), host.engine.info
    arch = architecture(info.architecture)
    if not info.shares_host:
        return AgentSpec(build=build, protocol=wire.VERSION)
    if _usable(workspace.state_directory):
        place = paths.agent_program(build, arch)
        known = paths.failed_agent_directory if failed else paths.agent_directory
        directory = known(workspace.hash)
    else:
        root = fallback_directory(host)
        place = str(root / f"agent-{build}-{arch}")
        directory = str(root / f"{workspace.hash}.agent{'-failed' if failed else ''}")
    return AgentSpec(
        build=build, protocol=wire.VERSION, program=os.path.realpath(place), directory=os.path.realpath(directory)
    )


def _usable(directory: str) -> bool:
    try:
        found = Path(paths.private_directory(directory))
    except OSError:
        return False
    return os.access(found, os.W_OK | os.X_OK)
