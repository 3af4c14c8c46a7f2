"""`ssh-proxy`: the other end of one connection of the client's ssh."""

import os
import signal
from dataclasses import dataclass

from devbox import paths
from devbox.agent.client import AgentError
from devbox.errors import AgentError as AgentFailedError
from devbox.errors import NotInThisVersionError
from devbox.profile.model import Profile
from devbox.runtimes.base import Instance
from devbox.ssh.guest import Front
from devbox.ssh.keys import ensure_keys, host_key_file
from devbox.values import GuestUser
from devbox.workspace.agent import agent_spec
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile
from devbox.workspace.find import running
from devbox.workspace.guest_env import session_env
from devbox.workspace.identity import guest_user
from devbox.workspace.login import login_argv, run_argv
from devbox.workspace.sshd_proxy import relay
from devbox.workspace.trusted import taken_from_host
from devbox.workspace.up import bring_up


def proxy(host: Host, workspace: Workspace, *, up: bool, sshd: bool = False) -> None:
    """Speak SSH on this process's standard streams until the client goes; the agent does the work, or with `sshd` sshd.

    With `up` the Environment is brought up first; without, `NotRunningError` if it does not run.
    """
    output = os.dup(1)
    os.dup2(2, 1)  # whatever else would be written to stdout is no SSH
    if sshd:
        found = _reached(host, workspace, up=up)
        env = session_env(host, found.user, terminal=False) | found.taken
        _ends_by_the_pipes()
        relay(found.instance, workspace.hash, found.user, env, stdin=0, stdout=output)
        return
    ready = front(host, workspace, up=up)
    from devbox.ssh.server import serve  # lazy: what is refused needs no asyncssh

    _ends_by_the_pipes()
    try:
        serve(ready, stdin=0, stdout=output)
    except AgentError as error:
        raise AgentFailedError(f"the agent of {workspace.name} cannot be used: {error}", hint="devbox up") from error


def _ends_by_the_pipes() -> None:
    """Take no notice when ssh hangs up on its ProxyCommand as it goes: the pipes say so as well, and in order."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def front(host: Host, workspace: Workspace, *, up: bool) -> Front:
    """Return what the connection needs to know of the Environment."""
    found = _reached(host, workspace, up=up)
    ensure_keys(workspace.hash, workspace.container_name)
    return _front(host, workspace, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """An Environment that runs, who works in it, and what its processes have from this host."""

    instance: Instance
    profile: Profile
    user: GuestUser
    taken: dict[str, str]


def _reached(host: Host, workspace: Workspace, *, up: bool) -> _Reached:
    if up:
        ready = bring_up(host, workspace, flags=None, command="devbox ssh-proxy --up")
        instance, loaded, user = ready.instance, ready.loaded, ready.user
    else:
        instance = running(host, workspace)
        loaded = load_profile(host, workspace)
        user = guest_user(host, workspace, host.engine.info, loaded.profile.user)
    _require_socket(host, workspace)
    taken = taken_from_host(host, workspace, loaded)
    return _Reached(instance=instance, profile=loaded.profile, user=user, taken=taken)


def _front(host: Host, workspace: Workspace, found: _Reached) -> Front:
    user = found.user
    env = session_env(host, user, terminal=False) | found.taken
    own = {"HOME", "USER", "LOGNAME"}
    return Front(
        socket=paths.agent_socket(workspace.hash),
        identity=found.instance.spec_digest,
        host_key=host_key_file(workspace.hash),
        name=user.name,
        run_as=f"{user.uid}:{user.gid}",
        workdir=found.profile.user.workdir or workspace.guest_directory,
        shell=login_argv(user.shell, ()),
        command=run_argv(user.shell),
        env=tuple(env.items()),
        env_of_others=tuple((name, value) for name, value in env.items() if name not in own),
    )


def _require_socket(host: Host, workspace: Workspace) -> None:
    if not agent_spec(host, workspace).directory:
        raise NotInThisVersionError(
            "ssh reaches no environment of an engine that sees other files than this machine yet",
            hint="devbox shell, or devbox exec -- CMD",
        )
