"""What `up` says at its end; the same whichever way it went."""

from collections.abc import Mapping
from typing import Any

from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step, port_documents, port_lines
from devbox.cli.text import Line
from devbox.hot import show
from devbox.workspace.outcome import UpResult


def show_up(invocation: Invocation, result: UpResult) -> None:
    """Show `result` in the form that was asked for."""
    show_all(invocation, {"": result})


def show_all(invocation: Invocation, results: Mapping[str, UpResult]) -> None:
    """Show the `results` of several machines by name; the document is the first one's, the others stand in it."""
    (first, result), *others = results.items()
    machines = [{"machine": name, **_document(one)} for name, one in others]
    changed = any(one.changed for one in results.values())
    document = _document(result) | {"changed": changed} | ({"machines": machines} if machines else {})
    lines: list[Line] = [line for one in results.values() if one.changed for line in _lines(one)]
    invocation.show(document, lines or [show.NOTHING_TO_DO])
    if changed:
        invocation.say(next_step(f"devbox shell -m {first}" if first else "devbox shell"))


def _document(result: UpResult) -> dict[str, Any]:
    return show.up_document(
        name=result.name,
        instance=result.instance,
        image=result.image,
        done=result.done,
        ports=port_documents(result.ports),
    )


def _lines(result: UpResult) -> list[Line]:
    return [f"{result.name}: {', '.join(result.done) or 'up'}", *port_lines(result.ports)]
