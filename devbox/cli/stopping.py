"""What `halt` and `suspend` do, and say at their end."""

import typer

from devbox.cli.environment import meant
from devbox.cli.group import invocation_of
from devbox.cli.render import next_step


def stop(context: typer.Context, environment: str | None, *, save: bool) -> None:
    """Stop an environment and show, in the form that was asked for, whether it ran; `save`: what runs in it is kept."""
    invocation = invocation_of(context)
    from devbox.workspace.several import alone
    from devbox.workspace.together import halt_all

    host, workspace = meant(invocation, environment)
    family = invocation.family if environment is None else alone(workspace)
    stopped = halt_all(host, family, save=save)
    what = "suspended" if save else "halted"
    lines = [f"{one.container_name}: {what}" for one in family.members if stopped.get(one.machine)]
    machines = [{"machine": name, "changed": did} for name, did in reversed(stopped.items()) if name]
    changed = any(stopped.values())
    several = {"machines": machines} if len(family.members) > 1 else {}
    invocation.show({"changed": changed, **several}, lines or ["nothing to do"])
    if changed:
        invocation.say(next_step(_next(environment, save=save) + (workspace.option if environment is None else "")))


def _next(environment: str | None, *, save: bool) -> str:
    if save:
        return f"devbox resume {environment}" if environment else "devbox resume"
    return f"devbox destroy {environment}" if environment else "devbox up"
