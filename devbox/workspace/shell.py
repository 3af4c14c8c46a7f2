"""`shell` and `exec`: a process inside, as if it ran here."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from devbox.errors import BaseImageError, CannotStartError, UnattachedError, UsageError
from devbox.profile.model import Profile
from devbox.runtimes.base import ExecSpec, Instance
from devbox.values import GuestUser, check_guest_path
from devbox.workspace.attach import Streams, attach
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile
from devbox.workspace.failed import failed_instance
from devbox.workspace.find import running
from devbox.workspace.guest_env import session_env
from devbox.workspace.identity import guest_user
from devbox.workspace.login import SH, login_argv
from devbox.workspace.memory import memory_problem
from devbox.workspace.syncing import synced
from devbox.workspace.trusted import taken_from_host
from devbox.workspace.up import Ready, bring_up

_OURS = Streams()
_KILLED = 137
_SHELL = "devbox shell"
_NOT_FOUND = 127


def shell(
    host: Host,
    workspace: Workspace,
    argv: Sequence[str] = (),
    *,
    flags: Mapping[str, object] | None = None,
    failed: bool = False,
) -> int:
    """Do `up`, then run `argv` (or an interactive shell) in a login environment; return its exit code.

    `failed`: enter the state in which the last build failed instead; the container for it goes afterwards.
    """
    if failed:
        with failed_instance(host, workspace) as instance:
            root = GuestUser(name="root", uid=0, gid=0, home="/root")
            return _entered(host, instance, login_argv("bash", argv), user=root, workdir="/", env={})
    try:
        ready = bring_up(host, workspace, flags=flags, command=_SHELL)
    except UnattachedError as error:
        if argv:
            raise
        return _console(host, error)
    return login(host, workspace, ready, argv, workdir=working_directory(host, workspace, ready.loaded.profile))


def _console(host: Host, error: UnattachedError) -> int:
    """Be at the serial console of a machine that runs without an agent."""
    from devbox.runtimes.vm.serial import attached  # lazy: who has containers alone needs none of it
    from devbox.vm.machine import Machine

    host.reporter.note(f"{error.message}; this is its serial console: nothing is synced, no port is relayed")
    host.reporter.note(f"{error.hint}; Ctrl-] leaves it")
    directory = Path(error.directory)
    with host.reporter.pause():
        attached(directory, runs=Machine(directory, host.processes).running)
    return 0


def login(
    host: Host,
    workspace: Workspace,
    ready: Ready,
    argv: Sequence[str],
    *,
    workdir: str,
    streams: Streams = _OURS,
) -> int:
    """Be `argv` (or an interactive shell) in a login environment of what `ready` has; return its exit code."""
    with synced(host, workspace, ready.instance, command=_SHELL, known=ready.synced):
        return _entered(
            host,
            ready.instance,
            login_argv(ready.user.shell, argv),
            user=ready.user,
            workdir=workdir,
            env=taken_from_host(host, workspace, ready.loaded),
            streams=streams,
        )


def execute(
    host: Host,
    workspace: Workspace,
    argv: Sequence[str],
    *,
    user: str | None = None,
    workdir: str | None = None,
    env: Sequence[tuple[str, str]] = (),
    detach: bool = False,
) -> int:
    """Run `argv` in the running Environment without a shell; return its exit code (0 at once with `detach`).

    Raises `NotRunningError` if it does not run: nothing is started. `user`: a name or "uid:gid" inside;
    `workdir`: an absolute path inside; default is the caller's directory as seen from inside.
    """
    if not argv:
        raise UsageError("there is no command to run", hint="devbox exec -- CMD")
    instance = running(host, workspace)
    loaded = load_profile(host, workspace)
    own = guest_user(host, workspace, host.engine.info, loaded.profile.user)
    values = taken_from_host(host, workspace, loaded) | dict(env)
    place = _checked(workdir) if workdir else working_directory(host, workspace, loaded.profile)
    run = _detached if detach else _attached
    with synced(host, workspace, instance, command="devbox exec"):
        return run(host, instance, argv, user=user or own, workdir=place, env=values)


def working_directory(host: Host, workspace: Workspace, profile: Profile) -> str:
    """Return the caller's directory as seen from inside; at the project's top, or elsewhere, the profile's."""
    if host.cwd != workspace.directory and host.cwd.is_relative_to(workspace.directory):
        return str(PurePosixPath(workspace.guest_directory) / host.cwd.relative_to(workspace.directory))
    return profile.user.workdir or workspace.guest_directory


def _checked(workdir: str) -> str:
    try:
        return check_guest_path(workdir, may_be_system=True)
    except ValueError as error:
        raise UsageError(f"the working directory {workdir!r} {error}") from error


def _entered(
    host: Host,
    instance: Instance,
    argv: Sequence[str],
    *,
    user: GuestUser,
    workdir: str,
    env: Mapping[str, str],
    streams: Streams = _OURS,
) -> int:
    """Be `argv`, which begins with a shell; an image without one is told apart."""
    try:
        return _attached(host, instance, argv, user=user, workdir=workdir, env=env, streams=streams)
    except CannotStartError as error:
        if error.status != _NOT_FOUND:
            raise
        raise BaseImageError(
            f"the image of {instance.name} has no {SH}, so there is no shell to enter",
            hint="run a program of the image: devbox exec -- PROGRAM",
        ) from error


def _attached(
    host: Host,
    instance: Instance,
    argv: Sequence[str],
    *,
    user: GuestUser | str,
    workdir: str,
    env: Mapping[str, str],
    streams: Streams = _OURS,
) -> int:
    rows, columns = streams.size()
    spec = ExecSpec(
        argv=tuple(argv),
        user=_user(user),
        workdir=workdir,
        env=tuple((_session_env(host, user, terminal=streams.terminal) | dict(env)).items()),
        terminal=streams.terminal,
        rows=rows,
        columns=columns,
    )
    with host.reporter.pause():
        status = attach(instance, spec, streams=streams)
    if status == _KILLED:
        problem = memory_problem(instance)
        if problem:
            host.reporter.warn(problem)
    return status


def _detached(
    host: Host,
    instance: Instance,
    argv: Sequence[str],
    *,
    user: GuestUser | str,
    workdir: str,
    env: Mapping[str, str],
) -> int:
    values = _session_env(host, user, terminal=False) | dict(env)
    spec = ExecSpec(
        argv=tuple(argv), user=_user(user), workdir=workdir, env=tuple(values.items()), stdin=False, detach=True
    )
    instance.exec(spec).close()
    return 0


def _user(user: GuestUser | str) -> str:
    return user if isinstance(user, str) else f"{user.uid}:{user.gid}"


def _session_env(host: Host, user: GuestUser | str, *, terminal: bool) -> dict[str, str]:
    """Another user than the usual one gets HOME and the like from the agent, which looks into /etc/passwd."""
    if isinstance(user, GuestUser):
        return session_env(host, user, terminal=terminal)
    nobody = GuestUser(name="", uid=0, gid=0, home="")
    values = session_env(host, nobody, terminal=terminal)
    return {name: value for name, value in values.items() if value}
