"""What `up` says at its end; the same whichever way it went."""

from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step, port_documents, port_lines
from devbox.workspace.outcome import UpResult


def show_up(invocation: Invocation, result: UpResult) -> None:
    """Show `result` in the form that was asked for."""
    ports = list(result.ports)
    document = {
        "changed": result.changed,
        "done": list(result.done),
        "name": result.name,
        "instance": result.instance,
        "image": result.image,
        "ports": port_documents(ports),
    }
    if not result.changed:
        invocation.show(document, ["nothing to do"])
        return
    invocation.show(document, [f"{result.name}: {', '.join(result.done) or 'up'}", *port_lines(ports)])
    invocation.say(next_step("devbox shell"))
