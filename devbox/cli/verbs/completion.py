"""`devbox completion`."""

import click
from click.shell_completion import get_completion_class

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation

SHELLS = ("bash", "zsh", "fish")


@verb(
    "completion",
    examples=(
        ('eval "$(devbox completion bash)"', "in ~/.bashrc"),
        ('eval "$(devbox completion zsh)"', "in ~/.zshrc"),
        ("devbox completion fish > ~/.config/fish/completions/devbox.fish", "once"),
    ),
    next_step="open a new shell and type: devbox <Tab>",
)
@click.argument("shell", type=click.Choice(SHELLS))
@pass_invocation
def command(invocation: Invocation, shell: str) -> None:
    """Print a completion script for SHELL on stdout. Completing reads no profile and runs nothing."""
    script = completion_script(shell)
    if invocation.json:
        invocation.show({"shell": shell, "script": script}, ())
        return
    invocation.terminal.text(script)


def completion_script(shell: str) -> str:
    """Return the script that makes `shell` complete `devbox`.

    Click's own text; its `source()` is not used, since that runs bash to ask for its version.
    """
    found = get_completion_class(shell)
    assert found is not None
    writer = found(click.Command("devbox"), {}, "devbox", "_DEVBOX_COMPLETE")
    return writer.source_template % writer.source_vars()
