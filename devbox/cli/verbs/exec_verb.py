"""`devbox exec`."""

import click

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
from devbox.errors import Problem, UsageError
from devbox.values import check_env_name, check_guest_path, check_text


@verb(
    "exec",
    examples=(
        ("devbox exec -- pytest -q", "run a command, start nothing"),
        ("devbox exec -u root -- apt-get update", "as another user"),
        ("devbox exec -d -w /tmp -e PORT=9000 -- ./serve", "in the background, elsewhere, with a variable"),
    ),
    next_step="devbox up, if it says that the environment is not running",
    guest_command=True,
)
@click.option("-d", "--detach", is_flag=True, help="Start it and return at once.")
@click.option("-u", "--user", metavar="USER", help='A name or "uid:gid" inside; default is your user.')
@click.option("-w", "--workdir", metavar="DIR", help="An absolute path inside; default is the directory you are in.")
@click.option("-e", "--env", metavar="K=V", multiple=True, help="A variable for the command; may be repeated.")
@click.argument("argv", metavar="-- CMD [ARG]...", nargs=-1, type=click.UNPROCESSED)
@pass_invocation
def command(
    invocation: Invocation,
    argv: tuple[str, ...],
    *,
    detach: bool,
    user: str | None,
    workdir: str | None,
    env: tuple[str, ...],
) -> int:
    """Run CMD in the running environment, without a shell in between; starts nothing.

    CMD's exit code is passed on; a failure of devbox itself is 125.
    """
    from devbox.workspace.shell import execute

    if not argv:
        raise UsageError("no command given", hint="devbox exec -- CMD")
    invocation.guest_command = True
    variables = _checked(env, user=user, workdir=workdir)
    return execute(
        invocation.host, invocation.workspace, argv, user=user, workdir=workdir, env=variables, detach=detach
    )


def _checked(env: tuple[str, ...], *, user: str | None, workdir: str | None) -> list[tuple[str, str]]:
    """Return `env` as pairs; all that is wrong with the options is said at once."""
    problems: list[Problem] = []
    pairs: list[tuple[str, str]] = []
    for entry in env:
        name, equals, value = entry.partition("=")
        try:
            if not equals:
                raise ValueError(f'has no value; write "{name}=VALUE"')  # noqa: TRY301
            pairs.append((check_env_name(name), check_text(value)))
        except ValueError as error:
            problems.append(Problem(key=f"-e {entry}", message=str(error)))
    if workdir is not None:
        try:
            check_guest_path(workdir, may_be_system=True)
        except ValueError as error:
            problems.append(Problem(key=f"-w {workdir}", message=str(error)))
    if user is not None and (not user or user.startswith("-")):
        problems.append(Problem(key=f"-u {user}", message='not a user; write a name or "uid:gid"'))
    if problems:
        raise UsageError("cannot run it like that", problems=problems, hint="devbox exec --help")
    return pairs
