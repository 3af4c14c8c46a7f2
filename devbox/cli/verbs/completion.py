"""`devbox completion`."""

from typing import Annotated

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.scripts import SCRIPTS


def _shells(incomplete: str) -> list[str]:
    return [shell for shell in SCRIPTS if shell.startswith(incomplete)]


def _known(value: str) -> str:
    if value not in SCRIPTS:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(map(repr, SCRIPTS))}")
    return value


@verb(
    "completion",
    examples=(
        ('eval "$(devbox completion bash)"', "in ~/.bashrc"),
        ('eval "$(devbox completion zsh)"', "in ~/.zshrc"),
        ("devbox completion fish > ~/.config/fish/completions/devbox.fish", "once"),
    ),
    next_step="open a new shell and type: devbox <Tab>",
)
def command(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="{bash|zsh|fish}", callback=_known, autocompletion=_shells)],
) -> None:
    """Print a completion script for SHELL on stdout. Completing reads no profile and runs nothing."""
    invocation = invocation_of(context)
    script = SCRIPTS[shell]
    if invocation.json:
        invocation.show({"shell": shell, "script": script}, ())
        return
    invocation.terminal.text(script)
