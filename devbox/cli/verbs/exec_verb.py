"""`devbox exec`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
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
    machines=True,
)
def command(
    context: typer.Context,
    argv: Annotated[list[str], typer.Argument(metavar="-- CMD [ARG]...", default_factory=list)],
    *,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Start it and return at once.")] = False,
    user: Annotated[
        str | None,
        typer.Option("-u", "--user", metavar="USER", help='A name or "uid:gid" inside; default is your user.'),
    ] = None,
    workdir: Annotated[
        str | None,
        typer.Option(
            "-w", "--workdir", metavar="DIR", help="An absolute path inside; default is the directory you are in."
        ),
    ] = None,
    env: Annotated[
        list[str],
        typer.Option(
            "-e",
            "--env",
            metavar="K=V",
            default_factory=list,
            show_default=False,
            help="A variable for the command; may be repeated.",
        ),
    ],
) -> int:
    """Run CMD in the running environment, without a shell in between; starts nothing.

    CMD's exit code is passed on; a failure of devbox itself is 125.
    """
    invocation = invocation_of(context)
    from devbox.workspace.shell import execute

    if not argv:
        raise UsageError("no command given", hint="devbox exec -- CMD")
    invocation.guest_command = True
    variables = _checked(env, user=user, workdir=workdir)
    return execute(
        invocation.host, invocation.workspace, argv, user=user, workdir=workdir, env=variables, detach=detach
    )


def _checked(env: Sequence[str], *, user: str | None, workdir: str | None) -> list[tuple[str, str]]:
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
