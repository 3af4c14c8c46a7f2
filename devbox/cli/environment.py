"""The argument ENVIRONMENT: an environment by its name, instead of the one of the project."""

from typing import TYPE_CHECKING, Annotated

import typer

from devbox.cli.invocation import Invocation
from devbox.errors import UsageError

if TYPE_CHECKING:  # a verb that is refused needs nothing of it
    from devbox.workspace.context import Host, Workspace

Environment = Annotated[str | None, typer.Argument(metavar="[ENVIRONMENT]")]


def meant(invocation: Invocation, environment: str | None) -> "tuple[Host, Workspace]":
    """Return the Workspace that is meant, and the Host on whose engine it is."""
    if environment is None:
        return invocation.host, invocation.workspace
    if invocation.machine is not None:
        raise UsageError(
            "a machine and an environment are given", hint="an environment is one machine: name it as devbox list does"
        )
    if invocation.project is not None:
        raise UsageError("a project and an environment are given", hint="name one of the two, -C DIR or ENVIRONMENT")
    from devbox.workspace.named import named

    return named(invocation.host, environment)
