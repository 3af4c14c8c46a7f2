"""The options that every verb takes, before it and after it; their values end up in the `Invocation`."""

from collections.abc import Callable
from copy import copy
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperOption
from typer.main import get_command

from devbox.cli.invocation import Invocation
from devbox.cli.vendored import Context, as_typed


def invocation_of(context: Context) -> Invocation:
    """Return what this call of the command knows."""
    return context.ensure_object(Invocation)


def _show_help(context: Context, value: bool) -> None:  # noqa: FBT001 (typer's signature)
    if value and not context.resilient_parsing:
        invocation_of(context).terminal.text(context.get_help())
        raise typer.Exit


def remember(
    context: Context,
    *,
    project: Annotated[
        str | None,
        typer.Option(
            "-C",
            "--project",
            metavar="DIR",
            help="The project; default is the nearest devbox.toml upward, else the current directory.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing on stderr but errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say every external command and engine call.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Never ask; what would need an answer fails instead.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    _help: Annotated[
        bool, typer.Option("-h", "--help", is_eager=True, callback=_show_help, help="Show this page.")
    ] = False,
) -> None:
    """Write what was given here into the Invocation; what was not may have been given before the verb."""
    invocation = invocation_of(context)
    if project is not None:
        invocation.project = Path(project)
    invocation.quiet |= quiet
    invocation.verbose |= verbose
    invocation.json |= json
    invocation.no_input |= no_input
    invocation.version |= version


def remember_machine(
    context: Context,
    *,
    machine: Annotated[
        str | None,
        typer.Option("-m", "--machine", metavar="NAME", help="One of several machines: NAME of [machines.NAME]."),
    ] = None,
) -> None:
    """Write which machine was named into the Invocation."""
    invocation_of(context).machine = machine


def parameters(*, shown: bool) -> list[TyperOption]:
    """Return the global options; where they are not `shown`, help shows none of them but `--help` itself."""
    found = [copy(option) for option in _declared(remember)]
    for option in found:
        option.hidden = not shown and option.name != "_help"
    return found


def machine_parameter() -> TyperOption:
    """Return the option of verbs that can be about one of several machines."""
    (option,) = _declared(remember_machine)
    return copy(option)


@cache
def _declared(function: Callable[..., None]) -> tuple[TyperOption, ...]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(add_help_option=False)(function)
    command = get_command(app)
    assert isinstance(command, TyperCommand)
    options = tuple(param for param in command.params if isinstance(param, TyperOption))
    for option in options:
        as_typed(option)
    return options
