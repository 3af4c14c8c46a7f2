"""`devbox list`."""

from collections import Counter

import typer

from devbox.cli.group import invocation_of, verb
from devbox.cli.render import address, port_documents
from devbox.cli.text import Line, Span, table
from devbox.workspace.listing import Listed, environments

_STYLES = {"running": "good", "broken": "error"}


@verb(
    "list",
    examples=(
        ("devbox list", "every environment of yours, wherever you are"),
        ("devbox list --json", "the same for a script"),
    ),
    next_step="devbox -C DIR shell, to be in one; devbox destroy NAME, to take one away",
)
def command(context: typer.Context) -> None:
    """List your environments on every engine in reach; one whose directory is gone is marked."""
    invocation = invocation_of(context)
    found = environments(invocation.host)
    invocation.show({"environments": [_document(one) for one in found]}, _lines(found))


def _document(one: Listed) -> dict[str, object]:
    return {
        "name": one.name,
        "hash": one.hash,
        "machine": one.machine or None,
        "workspace": one.workspace,
        "gone": one.gone,
        "runtime": one.runtime,
        "engine": one.engine,
        "state": one.state,
        "saved": one.saved,
        "instance": one.instance,
        "container": one.container,
        "image": one.image,
        "ports": port_documents(one.ports),
    }


def _lines(found: list[Listed]) -> list[Line]:
    if not found:
        return ["no environments"]
    rows: list[tuple[str | Span, ...]] = [
        tuple(Span(title, "dim") for title in ("NAME", "STATE", "PORTS", "WORKSPACE"))
    ]
    names = Counter(one.name for one in found)
    for one in found:
        ports = " ".join(address(port) for port in one.ports) or "-"
        state = Span("saved" if one.saved else one.state, _STYLES.get(one.state, ""))
        rows.append((Span(one.name, "bold"), state, ports, _place(one, unique=names[one.name] == 1)))
    return table(rows)


def _place(one: Listed, *, unique: bool) -> str | Span:
    """Return where it is; of one that has no directory any more how to end it."""
    if one.workspace is None:
        return f"unknown; its container is {one.container}"
    if not one.gone:
        return one.workspace
    return Span(f"{one.workspace} (gone; devbox destroy {one.name if unique else one.container})", "warn")
