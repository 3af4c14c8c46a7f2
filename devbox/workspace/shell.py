"""`shell` and `exec`: a process inside, as if it ran here."""

from collections.abc import Mapping, Sequence

from devbox.workspace.context import Host, Workspace


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
    raise NotImplementedError


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
    raise NotImplementedError
