"""What `halt` and `suspend` say at their end."""

from devbox.cli.invocation import Invocation


def show_halt(invocation: Invocation, name: str, *, changed: bool, saved: bool) -> None:
    """Show in the form that was asked for whether `name` was stopped, and whether what ran in it is kept."""
    what = "suspended" if saved else "halted"
    invocation.show({"changed": changed}, [f"{name}: {what}" if changed else "nothing to do"])
