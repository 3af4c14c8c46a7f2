"""What `up` says at its end; the same whichever way it went."""

from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step, port_documents, port_lines
from devbox.hot import show
from devbox.workspace.outcome import UpResult


def show_up(invocation: Invocation, result: UpResult) -> None:
    """Show `result` in the form that was asked for."""
    document = show.up_document(
        name=result.name,
        instance=result.instance,
        image=result.image,
        done=result.done,
        ports=port_documents(result.ports),
    )
    if not result.changed:
        invocation.show(document, [show.NOTHING_TO_DO])
        return
    invocation.show(document, [f"{result.name}: {', '.join(result.done) or 'up'}", *port_lines(result.ports)])
    invocation.say(next_step("devbox shell"))
