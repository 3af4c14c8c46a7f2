"""What `halt` and `suspend` do, and say at their end."""

import typer

from devbox.cli.environment import meant
from devbox.cli.group import invocation_of
from devbox.cli.render import next_step


def stop(context: typer.Context, environment: str | None, *, save: bool) -> None:
    """Stop an environment and show, in the form that was asked for, whether it ran; `save`: what runs in it is kept."""
    invocation = invocation_of(context)
    from devbox.workspace.halt import halt

    host, workspace = meant(invocation, environment)
    changed = halt(host, workspace, save=save)
    what = "suspended" if save else "halted"
    invocation.show({"changed": changed}, [f"{workspace.container_name}: {what}" if changed else "nothing to do"])
    if changed:
        invocation.say(next_step(_next(environment, save=save)))


def _next(environment: str | None, *, save: bool) -> str:
    if save:
        return f"devbox resume {environment}" if environment else "devbox resume"
    return f"devbox destroy {environment}" if environment else "devbox up"
