"""`devbox list`."""

from devbox.cli.group import pass_invocation, verb
from devbox.cli.invocation import Invocation
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
    next_step="devbox -C DIR shell, to be in one; devbox -C DIR destroy, to take one away",
)
@pass_invocation
def command(invocation: Invocation) -> None:
    """List your environments on every engine in reach; one whose directory is gone is marked."""
    found = environments(invocation.host)
    invocation.show({"environments": [_document(one) for one in found]}, _lines(found))


def _document(one: Listed) -> dict[str, object]:
    return {
        "name": one.name,
        "workspace": one.workspace,
        "gone": one.gone,
        "runtime": one.runtime,
        "engine": one.engine,
        "state": one.state,
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
    for one in found:
        where = one.workspace or f"unknown; its container is {one.container}"
        gone = " (gone; docker rm -f " + one.container + ")" if one.gone else ""
        ports = " ".join(address(port) for port in one.ports) or "-"
        rows.append((Span(one.name, "bold"), Span(one.state, _STYLES.get(one.state, "")), ports, where + gone))
    return table(rows)
