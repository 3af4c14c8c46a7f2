"""From a profile to what the hot path goes by."""

import os

from devbox.paths import AGENT_SOCKET
from devbox.profile.load import Loaded
from devbox.record import pack
from devbox.runtimes.base import InstanceSpec
from devbox.workspace.context import Host, Workspace
from devbox.workspace.entry import HotPlan
from devbox.workspace.guest_env import session_env
from devbox.workspace.login import login_argv


def hot_plan(
    host: Host, workspace: Workspace, loaded: Loaded, spec: InstanceSpec, *, files: set[str], wanted: set[str] | None
) -> HotPlan:
    """Return the plan for the hot path. `files`, `wanted`: see `HotPlan`; None: unchanged inputs do not suffice."""
    user, profile = spec.user, loaded.profile
    env = session_env(host, user, terminal=False)
    fixed = {
        "socket": os.path.join(spec.agent.directory, AGENT_SOCKET),  # noqa: PTH118 (paths are text)
        "plan": "" if wanted is None else "1",
        "name": spec.name,
        "title": profile.name or spec.hostname,
        "runtime": profile.runtime,
        "user": f"{user.uid}:{user.gid}",
        "env": pack(f"{name}={value}" for name, value in env.items()),
        "from_host": pack(profile.env.from_host),
        "login": pack(login_argv(user.shell, ())),
        "command": pack(login_argv(user.shell, ("true",))[:-1]),
        "guest": workspace.guest_directory,
        "workdir": profile.user.workdir or "",
    }
    return HotPlan(fixed=fixed, files=tuple(sorted(files)), inputs=tuple(sorted((wanted or set()) - files)))
